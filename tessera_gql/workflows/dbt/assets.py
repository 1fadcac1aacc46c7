"""Write the assets of a manifest with their first contracts, with one statement for each kind of row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import validation
from tessera_gql.policy.compatibility import Terms, judge
from tessera_gql.policy.enums import AssetTier, ResourceType
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import AssetUpdated
from tessera_gql.policy.labels import select_labels
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.store import assets
from tessera_gql.store.dbt import DBT, LINEAGE_MARK
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract
from tessera_gql.workflows.archiving import restore_asset
from tessera_gql.workflows.assets import record_created
from tessera_gql.workflows.comparisons import validate_schema_now
from tessera_gql.workflows.contracts import ContractDraft, insert_contracts
from tessera_gql.workflows.labels import follow_manifest_labels
from tessera_gql.workflows.proposal_lifecycle import update_upstream_of_published
from tessera_gql.workflows.publishing import require_guarantees

RESOURCE_TYPES = {
    "model": ResourceType.MODEL,
    "seed": ResourceType.SEED,
    "snapshot": ResourceType.SNAPSHOT,
    "source": ResourceType.SOURCE,
}
# A schema built from at most so many columns is valid and far below all limits (see tests/formats/test_dbt.py).
MAX_UNCHECKED_COLUMNS = 500
MARKS = ("fingerprint", "contract", LINEAGE_MARK)


def asset_columns(manifest: Manifest, model: Model) -> dict[str, Any]:
    """The columns of an asset that come from dbt; `meta` is merged into the asset's own."""
    attributes: dict[str, Any] = {
        "project": manifest.project,
        "unique_id": model.unique_id,
        "tags": list(model.tags),
        "labels": sorted(set(model.labels).difference(model.tags)),
        "version": model.version,
        "latest_version": model.latest_version,
        "path": model.path,
        "deprecation_date": model.deprecation_date,
        "contract_enforced": model.contract_enforced,
    }
    return {
        "resource_type": RESOURCE_TYPES.get(model.resource_type, ResourceType.TABLE),
        "description": validation.clean_text(
            model.description and model.description[: validation.MAX_TEXT], "description"
        ),
        "meta": {DBT: {key: value for key, value in attributes.items() if value}},
        **({"tier": tier} if (tier := find_tier(model)) else {}),
    }


def find_tier(model: Model) -> AssetTier | None:
    """Return the tier that the model suggests; None without a known one."""
    return AssetTier.__members__.get(model.tier or "")


def describe_unknown_tiers(models: Iterable[Model]) -> tuple[str, ...]:
    """Describe which models suggest a tier that there is not."""
    names = [model.fqn for model in models if model.tier and find_tier(model) is None]
    if not names:
        return ()
    return (f"`meta.tier` is none of {', '.join(AssetTier)} and was ignored: {', '.join(names[:5])}",)


@dataclass(frozen=True)
class NewAsset:
    """A model that becomes an asset; `stamp` is the hash of the sync's input for it, and `lineage_stamp` of its query.

    The latter is None if its lineage is not written with it.
    """

    model: Model
    id: UUID
    owner_team_id: UUID
    stamp: str
    lineage_stamp: str | None = None


async def create_assets(
    session: Session, manifest: Manifest, new_assets: Sequence[NewAsset], mode: Mode
) -> dict[str, Asset]:
    """Create assets and return them by fqn. `mode` is for models without a mode of their own."""
    values: list[dict[str, Any]] = []
    for new_asset in new_assets:
        model = new_asset.model
        from_dbt = asset_columns(manifest, model)
        from_dbt["meta"][DBT] |= {"fingerprint": new_asset.stamp, "contract": FIRST_VERSION}
        if new_asset.lineage_stamp is not None:
            from_dbt["meta"][DBT][LINEAGE_MARK] = new_asset.lineage_stamp
        own_columns = {
            "id": new_asset.id,
            "fqn": model.fqn,
            "fqn_key": assets.key(model.fqn),
            "owner_team_id": new_asset.owner_team_id,
            "compatibility_mode": model.compatibility_mode or mode,
            "tier": AssetTier.NORMAL,
            "is_tier_confirmed": False,
            "superseded_by_id": None,
            "archived_at": None,
            "row_version": 1,
            "created_at": session.now,
            "updated_at": session.now,
        }
        values.append(own_columns | from_dbt)
    created = await session.insert_many(
        Asset, values, conflict_message="One of the manifest's assets was created at this moment."
    )
    for asset in created:
        record_created(session, asset)
    stated = {new_asset.id: select_labels(new_asset.model.labels) for new_asset in new_assets}
    await follow_manifest_labels(session, stated, [])
    return {asset.fqn: asset for asset in created}


async def insert_first_contracts(session: Session, models: Sequence[tuple[Model, Asset]]) -> Sequence[Contract]:
    """Insert first contracts, for assets that never had one."""
    drafts: list[tuple[Asset, None, ContractDraft]] = []
    for model, asset in models:
        validate_model(model)
        mode = model.compatibility_mode or asset.compatibility_mode
        terms = Terms(model.schema, model.guarantees or None, mode, known_columns=model.known_columns)
        drafts.append((asset, None, ContractDraft(terms, FIRST_VERSION, judge(None, terms), asset.owner_team_id)))
    return await insert_contracts(session, drafts, update_upstream_of_published) if drafts else []


def validate_model(model: Model) -> None:
    """Raise Invalid for a model that is too large for a contract."""
    if len(model.columns) > MAX_UNCHECKED_COLUMNS:
        validate_schema_now(model.schema)
        require_guarantees(model.guarantees)


async def restore(session: Session, asset: Asset) -> Asset:
    """Restore an archived asset whose table a manifest has again."""
    return await restore_asset(session, asset, "a manifest has the table")


async def update_asset(
    session: Session, asset: Asset, columns: Mapping[str, Any], new_marks: dict[str, str | None]
) -> None:
    """Update what comes from dbt. Changed marks for the next sync are stored without an event."""
    before = asset.meta.get(DBT)
    marks: dict[str, str | None] = (
        {key: before[key] for key in MARKS if key in before} if isinstance(before, dict) else {}
    )
    if asset.is_tier_confirmed:
        columns = {name: value for name, value in columns.items() if name != "tier"}
    values = {**columns, "meta": {**asset.meta, DBT: {**columns["meta"][DBT], **marks}}}
    changed_values = {key: value for key, value in values.items() if value != getattr(asset, key)}
    merged_marks = {key: value for key, value in (marks | new_marks).items() if value is not None}
    changed, changes = list_changed(changed_values), describe_changes(asset, changed_values)
    if merged_marks != marks:
        changed_values["meta"] = {**asset.meta, DBT: {**columns["meta"][DBT], **merged_marks}}
    if not changed_values:
        return
    if changed:
        changed_values["row_version"] = asset.row_version + 1
        audience = frozenset({asset.owner_team_id})
        session.record(AssetUpdated(audience_team_ids=audience, asset_id=asset.id, changed=changed, changes=changes))
    await session.update_row(Asset, asset.id, **changed_values)


async def unsettle(session: Session, asset_id: UUID) -> None:
    """Remove the mark of the last sync, so that a model that comes back is published again."""
    (asset,) = await assets.by_ids(session, [asset_id])
    from_dbt = asset.meta.get(DBT)
    if isinstance(from_dbt, dict) and "contract" in from_dbt:
        marks = {name: value for name, value in from_dbt.items() if name != "contract"}
        await session.update_row(Asset, asset_id, meta={**asset.meta, DBT: marks})
