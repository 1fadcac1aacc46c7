"""Contracts in files: history is restored where there is none; where there is some, only what is newer is published."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from tessera_gql.diff import Bump, Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.formats.git import AssetFile, ContractEntry
from tessera_gql.formats.sources import Format, Source
from tessera_gql.policy import naming
from tessera_gql.policy.publish import Judgement, Terms
from tessera_gql.policy.version import parse
from tessera_gql.policy.words import ChangeType, ContractStatus, Outcome
from tessera_gql.store import contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Contract
from tessera_gql.workflows.comparisons import require_contract
from tessera_gql.workflows.contracts import Release, release_all, retire, terms_of
from tessera_gql.workflows.git_state import Merge, once, placed, word
from tessera_gql.workflows.publishing import PublishRequest, publish_contract, require_guarantees

RESTORED = "restored from git"


async def merge(state: Merge, files: Sequence[tuple[str, AssetFile]]) -> None:
    here = [state.asset(one.fqn) for _, one in files]
    rows = contracts.rows
    statement = select(rows).where(state.session.among(rows.c.asset_id, [one.id for one in here])).order_by(rows.c.id)
    present: dict[UUID, dict[str, Contract]] = defaultdict(dict)
    for row in await state.session.list(statement, Contract):
        present[row.asset_id][row.version] = row
    state.had_history = set(present)
    offers: list[tuple[Asset, Contract | None, Release]] = []
    for (path, one), asset in zip(files, here, strict=True):
        once((path, each.line, each.version) for each in one.contracts)
        if asset.id in present:
            await _meet(state, path, asset, one, present[asset.id])
        else:
            offers += [(asset, None, release) for release in _history(state, path, one)]
    if offers:
        await release_all(state.session, offers)
    state.count("contracts_restored", len(offers))


def _history(state: Merge, path: str, one: AssetFile) -> list[Release]:
    """Every version as it was, through the door that every contract takes."""
    found: list[Release] = []
    for each in one.contracts:
        with placed(path, each.line):
            found.append(_release(state, each))
            if sum(release.status is ContractStatus.ACTIVE for release in found) > 1:
                raise Invalid("A second version is ACTIVE here; an asset has at most one. Mark the older DEPRECATED.")
    return found


def _release(state: Merge, each: ContractEntry) -> Release:
    schema_hash = require_contract(each.schema)
    require_guarantees(each.guarantees)
    parse(each.version)
    change = word(ChangeType, each.change_type)
    bump = Bump.NONE if change is ChangeType.INITIAL else Bump(change.value)
    mode = word(Mode, each.compatibility_mode)
    return Release(
        terms=Terms(each.schema, each.guarantees, mode, schema_hash),
        version=each.version,
        judgement=Judgement(first=change is ChangeType.INITIAL, bump=bump, mode=mode),
        published_by=state.team(each.published_by),
        reason=RESTORED,
        metadata=naming.metadata(each.metadata),
        source=_source(each),
        status=word(ContractStatus, each.status),
        published_at=each.published_at,
    )


def _source(each: ContractEntry) -> Source | None:
    said = each.source
    if said is None:
        return None
    is_text = all(isinstance(value, str) for value in said.values())
    if not is_text or not {"format", "text"} <= said.keys() <= {"format", "text", "part", "dialect"}:
        raise Invalid("`source` has the texts `format` and `text`, and perhaps `part` and `dialect`.")
    word(Format, said["format"])
    return Source.of(said)


async def _meet(state: Merge, path: str, asset: Asset, one: AssetFile, present: dict[str, Contract]) -> None:
    """The file beside the versions that are here: equal ones are left, a newer active one is published."""
    highest = max(parse(version) for version in present)
    for each in one.contracts:
        with placed(path, each.line):
            known = present.get(each.version)
            if known is not None:
                await _compare(state, each, known)
            elif parse(each.version) > highest and each.status == ContractStatus.ACTIVE:
                await _publish(state, asset, each)
            else:
                why = "older than what is here" if parse(each.version) <= highest else "not the active one"
                state.passed_over.append(f"{path}, line {each.line}: version {each.version} is {why}.")


async def _compare(state: Merge, each: ContractEntry, known: Contract) -> None:
    said = Terms(each.schema, each.guarantees, word(Mode, each.compatibility_mode))
    here = terms_of(known)
    if here is not None and said.fingerprint != here.fingerprint:
        raise Conflict(
            f"Version {each.version} says something else here, and a published contract never changes."
            " Give the changed one a higher version."
        )
    status = word(ContractStatus, each.status)
    if status is ContractStatus.RETIRED and known.status is not ContractStatus.RETIRED:
        await retire(state.session, state.actor, known.id)
        state.count("contracts_retired")


async def _publish(state: Merge, asset: Asset, each: ContractEntry) -> None:
    request = PublishRequest(
        schema=each.schema,
        guarantees=each.guarantees,
        mode=word(Mode, each.compatibility_mode),
        version=each.version,
        reason="pulled from git",
        metadata=each.metadata,
        source=_source(each),
    )
    waiting = await proposals.find_open(state.session, asset.id)
    done = await publish_contract(state.session, state.actor, AssetRef(id=asset.id), request)
    if done.outcome is Outcome.PUBLISHED:
        state.count("contracts_published")
    elif done.proposal is not None and (waiting is None or done.proposal.id != waiting.id):
        state.count("proposals_opened")
