"""Describe how a change reaches a team's columns through lineage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tessera_gql.client.models import LineageStep, ReasonPath

MAX_PATHS = 5
"""Paths of one team that are printed; further ones are counted."""


def describe_paths(paths: Sequence[ReasonPath]) -> Iterator[str]:
    """Describe each distinct path as `orders.coupon → stg_orders.coupon`, and say where lineage is unknown."""
    texts = list(dict.fromkeys(map(_describe_path, paths)))
    yield from texts[:MAX_PATHS]
    if len(texts) > MAX_PATHS:
        yield f"and {len(texts) - MAX_PATHS} more paths"


def _describe_path(path: ReasonPath) -> str:
    steps = " → ".join(map(_describe_step, path.steps))
    return steps if path.is_known else f"{steps} (lineage unknown)"


def _describe_step(step: LineageStep) -> str:
    return f"{step.asset.fqn.rpartition('.')[2]}.{step.field or '*'}"
