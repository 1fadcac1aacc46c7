"""Load what the database has of a manifest and its project in one statement: all that an unchanged manifest costs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.formats.dbt_column_lineage import QueryLineage
from tessera_gql.formats.dbt_sql import ColumnUsage
from tessera_gql.policy.compatibility import Judgement
from tessera_gql.store import assets, dbt
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract

SOURCE = "source"
"""The resource type of tables that a manifest only declares."""


@dataclass
class ManifestCache:
    """Results of pure functions that take long, so that a plan which is made again under locks finds them."""

    usage: dict[tuple[str, tuple[tuple[str, ...], ...]], dict[str, ColumnUsage]] = field(
        default_factory=dict[tuple[str, tuple[tuple[str, ...], ...]], dict[str, ColumnUsage]]
    )
    """By model and the columns of its upstream tables."""
    judgements: dict[tuple[UUID, str], Judgement] = field(default_factory=dict[tuple[UUID, str], Judgement])
    """By the active contract and the fqn of the model."""
    lineage: dict[tuple[str, str], QueryLineage] = field(default_factory=dict[tuple[str, str], QueryLineage])
    """By the fqn of the model and the hash of what the lineage of its query depends on."""


@dataclass
class ManifestState:
    """A manifest with its assets, owners and columns by fqn; `owners` includes those of assets to be created.

    `project_assets` are all assets of the project. `query_names` has the names of renamed tables in compiled queries.
    `unowned` are the models for which a sync has no owner, with the owners that the manifest names for them.
    """

    manifest: Manifest
    assets: Mapping[str, KnownAsset]
    project_assets: Sequence[KnownAsset] = ()
    query_names: Mapping[str, str] = field(default_factory=dict[str, str])
    owners: dict[str, UUID] = field(default_factory=dict[str, UUID])
    unowned: dict[str, str | None] = field(default_factory=dict[str, str | None])
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def find_cross_team_upstream(self, model: Model) -> list[str]:
        """Find the upstream models that belong to other teams."""
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
            and not asset.is_archived
            and asset.version is not None
            and asset.version == asset.settled_version
            and asset.stamp == self.compute_stamp(model)
        )

    def is_described_elsewhere(self, model: Model) -> bool:
        """Whether the table is a source of this manifest that another project, or a publish without dbt, describes."""
        asset = self.assets.get(model.fqn)
        if asset is None or asset.project == self.manifest.project:
            return False
        if model.resource_type == SOURCE:
            return asset.project is not None or (asset.contract_id is not None and asset.stamp is None)
        return self.find_other_builder(model) is not None and model.unique_id.split(".")[1:2] == [asset.project]

    def find_other_builder(self, model: Model) -> str | None:
        """Return the other project that builds the table of this model; None if there is none."""
        asset = self.assets.get(model.fqn)
        if asset is None or asset.is_source or asset.contract_id is None or self.manifest.project is None:
            return None
        return asset.project if asset.project != self.manifest.project else None


async def load_state(session: Session, manifest: Manifest) -> ManifestState:
    """Load the state without locks; to change an asset, lock it and load it again."""
    known_assets = await dbt.load_known_assets(session, [model.fqn for model in manifest.models], manifest.project)
    return build_state(manifest, known_assets)


def build_state(
    manifest: Manifest, known_assets: Sequence[KnownAsset], query_names: Mapping[str, str] | None = None
) -> ManifestState:
    by_key = {assets.key(asset.fqn): asset for asset in known_assets}
    assets_by_fqn = {model.fqn: asset for model in manifest.models if (asset := by_key.get(assets.key(model.fqn)))}
    return ManifestState(
        manifest,
        assets_by_fqn,
        [asset for asset in known_assets if manifest.project is not None and asset.project == manifest.project],
        query_names or {},
        owners={fqn: asset.owner_team_id for fqn, asset in assets_by_fqn.items()},
        columns={model.fqn: model.columns for model in manifest.models},
    )


def contract_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of a contract, because a query may still read one that the manifest no longer has."""
    schema = contract.schema_def
    return tuple(schema.get("properties") or ()) if isinstance(schema, dict) else ()
