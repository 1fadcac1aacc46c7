"""Write the assets of a manifest with their first contracts and lineage, with one statement for each kind of row."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import validation
from tessera_gql.policy.compatibility import Terms, judge
from tessera_gql.policy.enums import DependencyType, Evidence, ResourceType
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import AssetUpdated
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.store import assets, lineage
from tessera_gql.store.dbt import DBT
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, Contract, new_id
from tessera_gql.workflows.assets import record_created
from tessera_gql.workflows.comparisons import validate_schema_now
from tessera_gql.workflows.contracts import ContractDraft, insert_contracts
from tessera_gql.workflows.publishing import require_guarantees

RESOURCE_TYPES = {
    "model": ResourceType.MODEL,
    "seed": ResourceType.SEED,
    "snapshot": ResourceType.SNAPSHOT,
    "source": ResourceType.SOURCE,
}
# A schema built from at most so many columns is valid and far below all limits (see tests/formats/test_dbt.py).
MAX_UNCHECKED_COLUMNS = 500
MARKS = ("fingerprint", "contract")


def asset_columns(manifest: Manifest, model: Model) -> dict[str, Any]:
    """The columns of an asset that come from dbt; `meta` is merged into the asset's own."""
    attributes: dict[str, Any] = {
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
        "resource_type": RESOURCE_TYPES.get(model.resource_type, ResourceType.TABLE),
        "description": validation.clean_text(
            model.description and model.description[: validation.MAX_TEXT], "description"
        ),
        "meta": {DBT: {key: value for key, value in attributes.items() if value}},
    }


async def create_assets(
    session: Session, manifest: Manifest, models: Sequence[tuple[Model, UUID, str]], mode: Mode
) -> dict[str, Asset]:
    """Create assets and return them by fqn; each model comes with its owner and its stamp.

    `mode` is for models without a mode of their own.
    """
    values: list[dict[str, Any]] = []
    for model, owner, stamp in models:
        from_dbt = asset_columns(manifest, model)
        from_dbt["meta"][DBT] |= {"fingerprint": stamp, "contract": FIRST_VERSION}
        own_columns = {
            "id": new_id(),
            "fqn": model.fqn,
            "fqn_key": assets.key(model.fqn),
            "owner_team_id": owner,
            "compatibility_mode": model.compatibility_mode or mode,
            "row_version": 1,
            "created_at": session.now,
        }
        values.append(own_columns | from_dbt)
    created = await session.insert_many(
        Asset, values, conflict_message="One of the manifest's assets was created at this moment."
    )
    for asset in created:
        record_created(session, asset)
    return {asset.fqn: asset for asset in created}


async def insert_first_contracts(session: Session, models: Sequence[tuple[Model, Asset]]) -> Sequence[Contract]:
    """Insert first contracts, for assets that never had one."""
    drafts: list[tuple[Asset, None, ContractDraft]] = []
    for model, asset in models:
        validate_model(model)
        mode = model.compatibility_mode or asset.compatibility_mode
        terms = Terms(model.schema, model.guarantees or None, mode)
        drafts.append((asset, None, ContractDraft(terms, FIRST_VERSION, judge(None, terms), asset.owner_team_id)))
    return await insert_contracts(session, drafts) if drafts else []


def validate_model(model: Model) -> None:
    """Raise Invalid for a model that is too large for a contract."""
    if len(model.columns) > MAX_UNCHECKED_COLUMNS:
        validate_schema_now(model.schema)
        require_guarantees(model.guarantees)


async def update_asset(
    session: Session, asset: Asset, columns: Mapping[str, Any], new_marks: dict[str, str | None]
) -> None:
    """Update what comes from dbt. Changed marks for the next sync are stored without an event."""
    before = asset.meta.get(DBT)
    marks: dict[str, str | None] = (
        {key: before[key] for key in MARKS if key in before} if isinstance(before, dict) else {}
    )
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


async def sync_dependencies(
    session: Session, ids: Mapping[str, UUID], models: Sequence[Model], new_ids: set[UUID], removed_ids: Sequence[UUID]
) -> tuple[int, int]:
    """Make the edges of dbt equal to the manifest, and return how many were added and removed; declared ones stay.

    `new_ids` have no edges; removed assets lose all of dbt's.
    """
    manifest_pairs = {
        (ids[model.fqn], ids[fqn])
        for model in models
        for fqn in model.depends_on
        if fqn in ids and ids[fqn] != ids[model.fqn]
    }
    dependents = {ids[model.fqn] for model in models}.difference(new_ids).union(removed_ids)
    present = await lineage.list_by_dependents(session, dependents) if dependents else []
    existing_pairs: set[tuple[UUID, UUID]] = set()
    obsolete: list[UUID] = []
    for edge in present:
        pair = (edge.dependent_asset_id, edge.dependency_asset_id)
        if edge.dependency_type is DependencyType.TRANSFORMS:
            existing_pairs.add(pair)
        if edge.evidence is Evidence.DBT_MANIFEST and pair not in manifest_pairs:
            obsolete.append(edge.id)
    if obsolete:
        await lineage.remove(session, obsolete)
    new_rows = [
        {
            "id": new_id(),
            "dependent_asset_id": dependent,
            "dependency_asset_id": dependency,
            "dependency_type": DependencyType.TRANSFORMS,
            "evidence": Evidence.DBT_MANIFEST,
            "created_at": session.now,
        }
        for dependent, dependency in sorted(manifest_pairs - existing_pairs)
    ]
    await session.insert_many(AssetDependency, new_rows)
    return len(new_rows), len(obsolete)
