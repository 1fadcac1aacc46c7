"""Tables of a manifest that are new: assets and first contracts, a statement for each kind of row."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tessera_gql.diff import Mode
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import naming
from tessera_gql.policy.events import AssetCreated, AssetUpdated
from tessera_gql.policy.publish import Terms, judge
from tessera_gql.policy.version import FIRST
from tessera_gql.policy.words import ResourceType
from tessera_gql.store import assets, contracts
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, new_id
from tessera_gql.workflows.comparisons import require_contract
from tessera_gql.workflows.contracts import Release, release_all
from tessera_gql.workflows.manifest_state import DBT
from tessera_gql.workflows.publishing import require_guarantees

RESOURCES = {
    "model": ResourceType.MODEL,
    "seed": ResourceType.SEED,
    "snapshot": ResourceType.SNAPSHOT,
    "source": ResourceType.SOURCE,
}
# A schema that the reader built of fewer columns is valid and far below every limit (see tests/formats/test_dbt.py).
SURE_COLUMNS = 500
BOOKKEEPING = ("fingerprint", "contract")


def details(manifest: Manifest, model: Model) -> dict[str, Any]:
    """What an asset keeps of what dbt says; `meta` is to be laid over the asset's own."""
    about: dict[str, Any] = {
        "project": manifest.project,
        "unique_id": model.unique_id,
        "tags": list(model.tags),
        "version": model.version,
        "latest_version": model.latest_version,
        "path": model.path,
        "deprecation_date": model.deprecation_date,
        "contract_enforced": model.contract_enforced,
    }
    return {
        "resource_type": RESOURCES.get(model.resource_type, ResourceType.TABLE),
        "description": naming.prose(model.description and model.description[: naming.MAX_TEXT], "description"),
        "meta": {DBT: {key: value for key, value in about.items() if value}},
    }


async def create(
    session: Session, manifest: Manifest, models: Sequence[tuple[Model, UUID, str]], mode: Mode
) -> dict[str, Asset]:
    """The assets, by fqn; each model comes with its owner and its stamp."""
    values: list[dict[str, Any]] = []
    for model, owner, stamp in models:
        about = details(manifest, model)
        about["meta"][DBT] |= {"fingerprint": stamp, "contract": FIRST}
        facts = {
            "id": new_id(),
            "fqn": model.fqn,
            "fqn_key": assets.key(model.fqn),
            "owner_team_id": owner,
            "compatibility_mode": mode,
            "row_version": 1,
            "created_at": session.now,
        }
        values.append(facts | about)
    made = await session.insert_many(Asset, values, clash="One of the manifest's assets was created at this moment.")
    for one in made:
        session.record(AssetCreated(teams=frozenset({one.owner_team_id}), asset_id=one.id, fqn=one.fqn))
    return {one.fqn: one for one in made}


async def release_first(session: Session, models: Sequence[tuple[Model, Asset]]) -> Sequence[Contract]:
    """First contracts, for assets that never had one."""
    offers = [(asset, None, _first(asset, model)) for model, asset in models]
    return await release_all(session, offers) if offers else []


async def never_published(session: Session, wanted: Sequence[UUID]) -> set[UUID]:
    """An asset whose contracts are all retired goes through the ordinary publish: its next version is not the first."""
    if not wanted:
        return set()
    rows = contracts.rows
    had = await session.rows(select(rows.c.asset_id).where(session.among(rows.c.asset_id, wanted)).distinct())
    return set(wanted).difference(row.asset_id for row in had)


def _first(asset: Asset, model: Model) -> Release:
    check(model)
    terms = Terms(model.schema, model.guarantees or None, asset.compatibility_mode)
    return Release(terms=terms, version=FIRST, judgement=judge(None, terms), published_by=asset.owner_team_id)


def check(model: Model) -> None:
    """Raises Invalid for what is too large for a contract."""
    if len(model.columns) > SURE_COLUMNS:
        require_contract(model.schema)
        require_guarantees(model.guarantees)


async def update(session: Session, asset: Asset, wanted: Mapping[str, Any], bookkeeping: dict[str, str | None]) -> None:
    """Follows what dbt says of the asset; what only helps the next sync is kept without a word."""
    before = asset.meta.get(DBT)
    noted: dict[str, str | None] = (
        {key: before[key] for key in BOOKKEEPING if key in before} if isinstance(before, dict) else {}
    )
    values = {**wanted, "meta": {**asset.meta, DBT: {**wanted["meta"][DBT], **noted}}}
    differing = {key: value for key, value in values.items() if value != getattr(asset, key)}
    now = {key: value for key, value in (noted | bookkeeping).items() if value is not None}
    told = tuple(sorted("metadata" if key == "meta" else key for key in differing))
    if now != noted:
        differing["meta"] = {**asset.meta, DBT: {**wanted["meta"][DBT], **now}}
    if not differing:
        return
    if told:
        differing["row_version"] = asset.row_version + 1
        session.record(AssetUpdated(teams=frozenset({asset.owner_team_id}), asset_id=asset.id, changed=told))
    await session.update(Asset, assets.rows.c.id == asset.id, **differing)
