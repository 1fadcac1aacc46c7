"""Find the tables that a project had and a manifest has no longer, with the table that each was renamed to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.formats.dbt import Model
from tessera_gql.policy.enums import ProposalKind
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.store.tables import Proposal
from tessera_gql.workflows.dbt.state import SOURCE, ManifestState

TableShape = tuple[frozenset[str], frozenset[str]]
"""The columns of a table in lower case, and the fqns of the tables that it is made from."""


@dataclass(frozen=True)
class Removal:
    """Why a table is gone, as the end of a sentence that begins with its fqn, and the table that replaces it."""

    reason: str
    successor: str | None = None


def is_undone(proposal: Proposal, asset: KnownAsset, change_set_id: UUID | None) -> bool:
    """Return whether a proposal retires a model that has come back; another pull request may still remove it."""
    if proposal.kind is not ProposalKind.RETIREMENT:
        return False
    was_removed_by_sync = asset.settled_version is None
    return was_removed_by_sync or proposal.change_set_id in {None, change_set_id}


def find_removed_assets(state: ManifestState) -> list[KnownAsset]:
    """Return the assets of the project that the manifest no longer has, in the order of their fqns.

    An archived one has been dealt with.
    """
    present = {asset.id for asset in state.assets.values()}
    return [asset for asset in state.project_assets if asset.id not in present and not asset.is_archived]


def describe_removals(
    state: ManifestState, removed: Sequence[KnownAsset], shapes: Mapping[UUID, TableShape]
) -> dict[UUID, Removal]:
    """Describe why tables are gone. A rename has the same `unique_id`, or the same columns and lineage (`shapes`)."""
    by_unique_id = {model.unique_id: model for model in state.manifest.models if model.resource_type != SOURCE}
    successors = _match_shapes(state, shapes)
    removals: dict[UUID, Removal] = {}
    for asset in removed:
        successor = by_unique_id.get(asset.unique_id or "") or successors.get(asset.id)
        if successor is not None:
            removals[asset.id] = Removal(_describe_rename(asset.fqn, successor.fqn), successor.fqn)
        else:
            absent = state.manifest.absent.get(asset.unique_id or "")
            removals[asset.id] = Removal(absent or "is no longer in the manifest")
    return removals


def _describe_rename(fqn: str, successor: str) -> str:
    is_moved = fqn.rpartition(".")[2] == successor.rpartition(".")[2]
    return f"was {'moved' if is_moved else 'renamed'} to {successor}"


def _match_shapes(state: ManifestState, shapes: Mapping[UUID, TableShape]) -> dict[UUID, Model]:
    """Match removed tables with new models of the same shape, where only one has it on each side."""
    if not shapes:
        return {}
    new_models = [
        model for model in state.manifest.models if model.fqn not in state.assets and model.resource_type != SOURCE
    ]
    by_shape = {_shape_of_model(model): model for model in new_models}
    new_counts = Counter(map(_shape_of_model, new_models))
    removed_counts = Counter(shapes.values())
    return {
        asset: by_shape[shape]
        for asset, shape in shapes.items()
        if shape[0] and removed_counts[shape] == new_counts[shape] == 1
    }


def _shape_of_model(model: Model) -> TableShape:
    return create_shape(model.columns, model.depends_on)


def create_shape(columns: Iterable[str], upstream: Iterable[str]) -> TableShape:
    return frozenset(map(str.lower, columns)), frozenset(upstream)
