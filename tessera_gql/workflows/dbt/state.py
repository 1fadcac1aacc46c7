"""Load what the database has of a manifest's models in one statement: that is all that an unchanged manifest costs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from sqlalchemy import select

from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy.enums import ContractStatus
from tessera_gql.store import assets, contracts
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract

DBT = "dbt"


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An existing asset; `stamp` and `settled_version` are the hash of the last sync's input, and its version."""

    id: UUID
    owner_team_id: UUID
    stamp: str | None
    settled_version: str | None
    contract_id: UUID | None
    version: str | None


@dataclass
class ManifestState:
    """A manifest with its assets and owners by fqn; `owners` includes those of assets to be created."""

    manifest: Manifest
    assets: Mapping[str, KnownAsset]
    owners: dict[str, UUID] = field(default_factory=dict[str, UUID])
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def find_cross_team_upstream(self, model: Model) -> list[str]:
        """The upstream models that belong to other teams."""
        owner = self.owners.get(model.fqn)
        return [fqn for fqn in model.depends_on if self.owners.get(fqn, owner) != owner]

    def compute_stamp(self, model: Model) -> str:
        """Hash what a sync depends on; the query counts only if it reads models of other teams."""
        crossing = self.find_cross_team_upstream(model)
        if not crossing:
            return model.fingerprint
        upstream = [[fqn, str(self.owners[fqn]), self.columns.get(fqn, ())] for fqn in crossing]
        inputs = [model.fingerprint, str(self.owners[model.fqn]), model.compiled_code, upstream]
        return hashlib.blake2b(orjson.dumps(inputs), digest_size=16).hexdigest()

    def is_unchanged(self, model: Model) -> bool:
        asset = self.assets.get(model.fqn)
        return (
            asset is not None
            and asset.version is not None
            and asset.version == asset.settled_version
            and asset.stamp == self.compute_stamp(model)
        )


async def load_state(session: Session, manifest: Manifest, models: Sequence[Model]) -> ManifestState:
    """Load the state without locks; to change an asset, lock it and load it again."""
    rows, versions = assets.TABLE, contracts.TABLE
    active = (versions.c.asset_id == rows.c.id) & (versions.c.status == ContractStatus.ACTIVE)
    statement = (
        select(
            rows.c.fqn_key,
            rows.c.id,
            rows.c.owner_team_id,
            rows.c.meta[DBT, "fingerprint"].as_string().label("fingerprint"),
            rows.c.meta[DBT, "contract"].as_string().label("contract"),
            versions.c.id.label("contract_id"),
            versions.c.version,
        )
        .select_from(rows.outerjoin(versions, active))
        .where(session.in_values(rows.c.fqn_key, [assets.key(model.fqn) for model in models]))
    )
    by_key = {
        row.fqn_key: KnownAsset(row.id, row.owner_team_id, row.fingerprint, row.contract, row.contract_id, row.version)
        for row in await session.rows(statement)
    }
    assets_by_fqn = {model.fqn: asset for model in models if (asset := by_key.get(assets.key(model.fqn)))}
    return ManifestState(
        manifest,
        assets_by_fqn,
        owners={fqn: asset.owner_team_id for fqn, asset in assets_by_fqn.items()},
        columns={model.fqn: model.columns for model in models},
    )


@dataclass(frozen=True)
class RemovedAsset:
    """An asset that an earlier manifest of the project had and this one does not have."""

    id: UUID
    fqn: str
    owner_team_id: UUID
    contract_id: UUID | None


async def find_removed_assets(session: Session, manifest: Manifest) -> list[RemovedAsset]:
    """Find removed assets, in the order of fqns; none for a manifest without a project name."""
    if manifest.project is None:
        return []
    rows, versions = assets.TABLE, contracts.TABLE
    active = (versions.c.asset_id == rows.c.id) & (versions.c.status == ContractStatus.ACTIVE)
    present = session.in_values(rows.c.fqn_key, [assets.key(model.fqn) for model in manifest.models])
    statement = (
        select(rows.c.id, rows.c.fqn, rows.c.owner_team_id, versions.c.id.label("contract_id"))
        .select_from(rows.outerjoin(versions, active))
        .where(rows.c.meta[DBT, "project"].as_string() == manifest.project, ~present)
        .order_by(rows.c.fqn_key)
    )
    return [RemovedAsset(row.id, row.fqn, row.owner_team_id, row.contract_id) for row in await session.rows(statement)]


async def lock_assets(session: Session, fqns: Sequence[str]) -> dict[str, Asset]:
    """Load and lock whole assets, by fqn key."""
    rows = assets.TABLE
    statement = (
        select(rows).where(session.in_values(rows.c.fqn_key, [assets.key(fqn) for fqn in fqns])).order_by(rows.c.id)
    )
    locked = await session.list(statement.with_for_update(key_share=True), Asset)
    return {asset.fqn_key: asset for asset in locked}


def contract_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of a contract, because a query may still read one that the manifest no longer has."""
    schema = contract.schema_def
    return tuple(schema.get("properties") or ()) if isinstance(schema, dict) else ()
