"""The parts of the diff engine that the tests call directly: parse a schema, compare two, search for a witness."""

from typing import Any

from tessera_gql.diff import Mode, compare
from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.constraints import Literal, NoWitness, Witness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache, Schema


def parse_schema(schema: Any) -> Schema:
    return NodeCache().root(read(schema, Identities()))


def find_witness(old: Any, new: Any, *, is_produced: bool = False) -> Witness | NoWitness:
    """A value that is valid under the old schema and not under the new one."""
    identities, nodes = Identities(), NodeCache()
    left, right = (nodes.root(read(raw, identities)) for raw in (old, new))
    return Solver(Budget(20_000)).find(
        [Literal(left, holds=True, is_produced=is_produced), Literal(right, holds=False)]
    )


def is_backward_compatible(old: Any, new: Any) -> bool:
    return compare(old, new).is_compatible(Mode.BACKWARD)
