"""Load what the database has of a manifest's models in one statement: that is all that an unchanged manifest costs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.store import assets, dbt
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract


@dataclass
class ManifestState:
    """A manifest with its assets and owners by fqn; `owners` includes those of assets to be created."""

    manifest: Manifest
    assets: Mapping[str, KnownAsset]
    owners: dict[str, UUID] = field(default_factory=dict[str, UUID])
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
            and asset.version is not None
            and asset.version == asset.settled_version
            and asset.stamp == self.compute_stamp(model)
        )


async def load_state(session: Session, manifest: Manifest, models: Sequence[Model]) -> ManifestState:
    """Load the state without locks; to change an asset, lock it and load it again."""
    by_key = await dbt.load_known_assets(session, [assets.key(model.fqn) for model in models])
    assets_by_fqn = {model.fqn: asset for model in models if (asset := by_key.get(assets.key(model.fqn)))}
    return ManifestState(
        manifest,
        assets_by_fqn,
        owners={fqn: asset.owner_team_id for fqn, asset in assets_by_fqn.items()},
        columns={model.fqn: model.columns for model in models},
    )


def contract_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of a contract, because a query may still read one that the manifest no longer has."""
    schema = contract.schema_def
    return tuple(schema.get("properties") or ()) if isinstance(schema, dict) else ()
