"""Merge contracts from files: restore history where there is none, otherwise publish only newer versions."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from tessera_gql.diff import Bump, Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.formats.git_files import AssetFile, ContractEntry
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.policy import validation
from tessera_gql.policy.compatibility import Judgement, KnownColumns, Terms
from tessera_gql.policy.enums import ChangeType, ContractStatus, Outcome
from tessera_gql.policy.version import parse_version
from tessera_gql.store import contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import ids
from tessera_gql.store.tables import Asset, Contract
from tessera_gql.workflows.comparisons import validate_schema_now
from tessera_gql.workflows.contracts import ContractDraft, insert_contracts, retire, terms_of
from tessera_gql.workflows.git.state import PullState, locate_errors, parse_enum, require_unique
from tessera_gql.workflows.proposal_lifecycle import update_upstream_of_published
from tessera_gql.workflows.publishing import PublishRequest, publish_contract, require_guarantees

RESTORE_REASON = "restored from git"


async def merge_contracts(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Merge the contracts of all asset files."""
    assets = [state.get_asset(file.fqn) for _, file in files]
    present: dict[UUID, dict[str, Contract]] = defaultdict(dict)
    for row in await contracts.list_by_assets(state.session, ids(assets)):
        present[row.asset_id][row.version] = row
    drafts: list[tuple[Asset, Contract | None, ContractDraft]] = []
    for (path, file), asset in zip(files, assets, strict=True):
        require_unique((path, entry.line, entry.version) for entry in file.contracts)
        if asset.id in present:
            await _merge_versions(state, path, asset, file, present[asset.id])
        else:
            drafts += [(asset, None, release) for release in _restore_history(state, path, file)]
    if drafts:
        await insert_contracts(state.session, drafts, update_upstream_of_published)
    state.count("contracts_restored", len(drafts))


def _restore_history(state: PullState, path: str, file: AssetFile) -> list[ContractDraft]:
    """Build the contracts of an asset without history, to insert as they were."""
    releases: list[ContractDraft] = []
    for entry in file.contracts:
        with locate_errors(path, entry.line):
            releases.append(_to_release(state, entry))
            if sum(release.status is ContractStatus.ACTIVE for release in releases) > 1:
                raise Invalid("A second version is ACTIVE here; an asset has at most one. Mark the older DEPRECATED.")
    return releases


def _to_release(state: PullState, entry: ContractEntry) -> ContractDraft:
    schema_hash = validate_schema_now(entry.schema)
    require_guarantees(entry.guarantees)
    parse_version(entry.version)
    change_type = parse_enum(ChangeType, entry.change_type)
    bump = Bump.NONE if change_type is ChangeType.INITIAL else Bump(change_type.value)
    mode = parse_enum(Mode, entry.compatibility_mode)
    return ContractDraft(
        terms=Terms(entry.schema, entry.guarantees, mode, schema_hash, _parse_known_columns(entry)),
        version=entry.version,
        judgement=Judgement(is_first=change_type is ChangeType.INITIAL, bump=bump, mode=mode),
        published_by=state.get_team_id(entry.published_by),
        reason=RESTORE_REASON,
        metadata=validation.clean_metadata(entry.metadata),
        source=_parse_source(entry),
        status=parse_enum(ContractStatus, entry.status),
        published_at=entry.published_at,
    )


def _parse_source(entry: ContractEntry) -> SchemaDocument | None:
    source = entry.source
    if source is None:
        return None
    is_text = all(isinstance(value, str) for value in source.values())
    if not is_text or not {"format", "text"} <= source.keys() <= {"format", "text", "part", "dialect"}:
        raise Invalid("`source` has the texts `format` and `text`, and perhaps `part` and `dialect`.")
    parse_enum(SchemaFormat, source["format"])
    return SchemaDocument.from_json(source)


def _parse_known_columns(entry: ContractEntry) -> KnownColumns | None:
    """Return the types of a dbt model's columns; None in a file that does not have them."""
    for name, types in (entry.known_columns or {}).items():
        is_valid = isinstance(types, dict) and types.keys() <= {"declared", "observed"}
        if not is_valid or not all(isinstance(value, str | None) for value in types.values()):
            raise Invalid(
                f"`known_columns` has for {name[:200]!r} the texts `declared` and `observed`, or one of them."
            )
    return entry.known_columns


async def _merge_versions(
    state: PullState, path: str, asset: Asset, file: AssetFile, present: dict[str, Contract]
) -> None:
    """Merge a file with existing versions: equal ones are left, a newer active one is published."""
    highest = max(parse_version(version) for version in present)
    for entry in file.contracts:
        with locate_errors(path, entry.line):
            contract = present.get(entry.version)
            if contract is not None:
                await _require_same(state, entry, contract)
            elif parse_version(entry.version) > highest and entry.status == ContractStatus.ACTIVE:
                await _publish(state, asset, entry)
            else:
                reason = "older than what is here" if parse_version(entry.version) <= highest else "not the active one"
                state.passed_over.append(f"{path}, line {entry.line}: version {entry.version} is {reason}.")


async def _require_same(state: PullState, entry: ContractEntry, contract: Contract) -> None:
    known_columns = _parse_known_columns(entry)
    file_terms = Terms(
        entry.schema,
        entry.guarantees,
        parse_enum(Mode, entry.compatibility_mode),
        known_columns=contract.known_columns if known_columns is None else known_columns,
    )
    if not terms_of(contract).has_same_terms(file_terms):
        raise Conflict(
            f"Version {entry.version} says something else here, and a published contract never changes."
            " Give the changed one a higher version."
        )
    status = parse_enum(ContractStatus, entry.status)
    if status is ContractStatus.RETIRED and contract.status is not ContractStatus.RETIRED:
        await retire(state.session, state.actor, contract.id)
        state.count("contracts_retired")


async def _publish(state: PullState, asset: Asset, entry: ContractEntry) -> None:
    request = PublishRequest(
        schema=entry.schema,
        guarantees=entry.guarantees,
        mode=parse_enum(Mode, entry.compatibility_mode),
        version=entry.version,
        reason="pulled from git",
        metadata=entry.metadata,
        source=_parse_source(entry),
        known_columns=_parse_known_columns(entry),
    )
    before = await proposals.find_open(state.session, asset.id)
    result = await publish_contract(state.session, state.actor, AssetRef(id=asset.id), request)
    if result.outcome is Outcome.PUBLISHED:
        state.count("contracts_published")
    elif result.proposal is not None and (before is None or result.proposal.id != before.id):
        state.count("proposals_opened")
