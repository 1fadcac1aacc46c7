"""Registry of the schema's types by name, so that types that refer to each other need not import each other."""

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ForwardRef, TypeVar, cast

import strawberry

from tessera_gql.executor import AttributeReads
from tessera_gql.store import assets, contracts, proposals, registrations, teams
from tessera_gql.store.rows import TableLike

F = TypeVar("F", bound=Callable[..., Any])

MODULES = {
    "Acknowledgment": "acknowledgments",
    "ApiKey": "keys",
    "Asset": "assets",
    "AssetDependency": "lineage",
    "ChangeSet": "change_sets",
    "Comment": "comments",
    "Contract": "contracts",
    "Debt": "debts",
    "Deprecation": "deprecations",
    "Event": "events",
    "FieldChange": "field_history",
    "Impact": "impact",
    "InboxGroup": "inbox",
    "Lineage": "lineage",
    "Obligation": "obligations",
    "Observation": "usage",
    "Principal": "usage",
    "PrincipalRule": "usage",
    "Project": "projects",
    "Proposal": "proposals",
    "Query": "schema",
    "Registration": "registrations",
    "Team": "teams",
    "UsageSource": "usage",
    "Webhook": "webhooks",
    "WebhookDelivery": "webhooks",
}


def lazy_type(name: str) -> Any:
    """Return an annotation that names a type and is resolved when the schema is built."""
    return Annotated[ForwardRef(name), strawberry.lazy(module_of(name))]


def lazy_list(name: str) -> Any:
    """Return the annotation of a list of non-null items of a type."""
    list_: Any = list
    return list_[lazy_type(name)]


def computed_field(description: str, type_: Any = None, *, name: str | None = None) -> Callable[[F], F]:
    """Declare a field with a resolver; `type_` is its type where the function's annotation can't name it."""
    return cast("Callable[[F], F]", strawberry.field(description=description, graphql_type=type_, name=name))


def subscription_field(description: str) -> Callable[[F], F]:
    """Declare a subscription field with its generator."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


def module_of(name: str) -> str:
    return f"tessera_gql.graphql.{MODULES[name.removesuffix('Connection')]}"


@lru_cache
def load_type(name: str) -> Any:
    return getattr(importlib.import_module(module_of(name)), name)


def to_type(name: str, row: Any) -> Any:
    """Wrap a row in the schema type of this name; None stays None."""
    return None if row is None else load_type(name).of(row)


ROW_SOURCES: dict[str, tuple[TableLike, ...]] = {
    "Asset": (assets.TABLE,),
    "Contract": (contracts.TABLE,),
    "Proposal": (proposals.TABLE,),
    "Registration": (registrations.TABLE,),
    "Team": (teams.TABLE, registrations.CONSUMER_TEAMS),
}
"""The tables and views of each type whose columns are read only as far as an operation needs them."""


@lru_cache(maxsize=500)
def columns_to_read(reads: AttributeReads) -> Mapping[TableLike | None, frozenset[str]]:
    """Return the columns that an operation reads, for each source where that is known.

    The id is among them if a cursor may be built from it.
    """
    columns_by_source: dict[TableLike | None, frozenset[str]] = {}
    selections = [
        reads.paths_of(name) for name in {*reads.paths, *reads.unrestricted_types} if name.endswith("Connection")
    ]
    cursor_columns = {"id"} if any(selection != frozenset({"nodes"}) for selection in selections) else set[str]()
    for name, sources in ROW_SOURCES.items():
        paths = reads.paths_of(name)
        if paths is not None and all(path.startswith("row.") for path in paths):
            columns_by_source |= dict.fromkeys(
                sources, frozenset(path.removeprefix("row.") for path in paths) | cursor_columns
            )
    return columns_by_source
