"""The types of the graph by name, so that those that point at each other need not import each other."""

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ForwardRef, TypeVar, cast

import strawberry
from sqlalchemy import FromClause

from tessera_gql.executor import Reads
from tessera_gql.store import assets, contracts, proposals, registrations, teams

F = TypeVar("F", bound=Callable[..., Any])

HOMES = {
    "Acknowledgment": "proposals",
    "ApiKey": "keys",
    "Asset": "assets",
    "AssetDependency": "lineage",
    "Contract": "contracts",
    "Event": "events",
    "Lineage": "lineage",
    "Proposal": "proposals",
    "Query": "schema",
    "Registration": "registrations",
    "Team": "teams",
    "Webhook": "webhooks",
    "WebhookDelivery": "webhooks",
}


def named(name: str) -> Any:
    """The type as an annotation, resolved when the schema is built."""
    return Annotated[ForwardRef(name), strawberry.lazy(home(name))]


def many(name: str) -> Any:
    """A list of the type, none of it null."""
    found: Any = list
    return found[named(name)]


def computed(description: str, kind: Any = None) -> Callable[[F], F]:
    """A field that is worked out when it is asked for; `kind` is its type where the function can't say it."""
    return cast("Callable[[F], F]", strawberry.field(description=description, graphql_type=kind))


def listened(description: str) -> Callable[[F], F]:
    """A subscription field."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


def home(name: str) -> str:
    return f"tessera_gql.graphql.{HOMES[name.removesuffix('Connection')]}"


@lru_cache
def kind(name: str) -> Any:
    return getattr(importlib.import_module(home(name)), name)


def shown(name: str, row: Any) -> Any:
    """The row as its type shows it; None stays None."""
    return None if row is None else kind(name).of(row)


ROWS: dict[str, tuple[FromClause, ...]] = {
    "Asset": (assets.rows,),
    "Contract": (contracts.rows,),
    "Proposal": (proposals.rows,),
    "Registration": (registrations.rows,),
    "Team": (teams.rows, registrations.consumers),
}
"""Where rows of a noun come from, as far as not all of their columns may be wanted."""


@lru_cache(maxsize=500)
def columns(reads: Reads) -> Mapping[FromClause | None, frozenset[str]]:
    """The columns that will be read, of the sources of which that is known; the id where cursors may be made of it."""
    found: dict[FromClause | None, frozenset[str]] = {}
    lists = [reads.of(name) for name in {*reads.paths, *reads.whole} if name.endswith("Connection")]
    places = {"id"} if any(one != frozenset({"nodes"}) for one in lists) else set[str]()
    for name, sources in ROWS.items():
        paths = reads.of(name)
        if paths is not None and all(path.startswith("row.") for path in paths):
            found |= dict.fromkeys(sources, frozenset(path.removeprefix("row.") for path in paths) | places)
    return found
