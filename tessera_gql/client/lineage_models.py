"""Models of lineage: assets upstream or downstream of another, the dependencies that lead there, and their columns."""

from typing import Annotated

from pydantic import Field

from tessera_gql.client.base_model import Model
from tessera_gql.client.enums import ColumnEdgeKind, Evidence
from tessera_gql.client.models import AssetSummary, TeamSummary
from tessera_gql.client.result_models import Diff


class LineageAsset(AssetSummary):
    """An asset on the way, with its owner."""

    owner: TeamSummary


class ColumnLink(Model):
    """A column that is made from another one. None stands for any source column, and for every target column."""

    kind: ColumnEdgeKind
    source_column: str | None
    target_column: str | None


class LineageDependency(Model):
    """A dependency: `dependent` is made from `dependency`, or reads it."""

    evidence: Evidence
    dependent: AssetSummary
    dependency: AssetSummary


class LineageVia(Model):
    """The last step on a shortest way to an asset; `columns` is empty if lineage of columns is unknown."""

    dependency: LineageDependency
    columns: tuple[ColumnLink, ...]


class LineageEdge(Model):
    """An asset upstream or downstream, `degree` steps away at least, with the last steps that lead to it."""

    degree: int
    asset: Annotated[LineageAsset, Field(alias="node")]
    via: tuple[LineageVia, ...]


class ContractDiff(Diff):
    """The comparison of two contracts of an asset. `unchanged_field_count` counts the fields that no change touches."""

    unchanged_field_count: int | None
