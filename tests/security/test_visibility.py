"""The table of visibility, compared with everything that each kind of caller can reach in the schema.

Every private thing bears a canary; nothing that a caller is answered may hold one that is not its own, and everything
that the table shows must be found. A new type needs a row in `policy/visibility.py`; a new root field with arguments
needs an entry in `arguments` here.
"""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_abstract_type, is_leaf_type

from tessera_gql.components import Components
from tessera_gql.config import Executor
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.visibility import (
    EVENT_AUDIENCES,
    PUBLIC_EVENT_KINDS,
    TYPE_AUDIENCES,
    Audience,
    audience_of_field,
)
from tests.security.crawler import Crawler, Findings
from tests.security.visibility_scenario import NOUNS, Caller, VisibilityScenario, arguments, asking, parts_of

CORE: GraphQLSchema = schema._schema
UNREACHED = {
    *("ColumnLink", "ColumnLinkEdge", "LineageStep", "ReasonPath"),
    *("Deprecation", "DeprecationEdge", "DeprecatedRead"),
    *("InboxGroup", "InboxGroupEdge", "EarlierAnswer", "ReleaseEvidence"),
    *("ContractSource", "ModelReader", "TableRead", "AssetLabel"),
    *("MissingCoverage", "NarrowerFields", "ProposalHold", "TeamSuggestion", "UnmappedReader"),
}
SELDOM_REACHED = {"ObservationEdge"}
"""Reached if the first asset in the order of random ids has been observed."""
"""Types of which the world holds nothing; their fields are as public as what they belong to."""
PRIVATE = {"apiKeys": "ApiKey", "webhooks": "Webhook", "events": "Event"}


@asynccontextmanager
async def every_way(url: str, folder: Path, executor: Executor) -> AsyncGenerator[dict[bool, Components]]:
    """The application where keys are needed, and where they are not."""
    reached_values = {needed: parts_of(url, folder, executor, needs_keys=needed) for needed in (True, False)}
    try:
        yield reached_values
    finally:
        for values in reached_values.values():
            await values.database.dispose()


async def crawl(parts: Components, private: VisibilityScenario, caller: Caller) -> Findings:
    ids = {kind: [*rows] for kind, rows in (await private.truth()).items()}
    known_ids = [identity for listed in ids.values() for identity in listed]
    reached_values = await Crawler(CORE, asking(parts, private, caller), arguments(ids)).crawl(known_ids)
    check(caller, reached_values, await private.visible(caller))
    return reached_values


def check(caller: Caller, reached_values: Findings, visible: set[tuple[str, str]]) -> None:
    """Assert that the caller found exactly what the table allows."""
    nouns = {(kind, identity) for kind, identity in reached_values.objects if kind in NOUNS}
    assert nouns - visible == set(), f"{caller.name} sees too much"
    assert visible - nouns == set(), f"{caller.name} sees too little"
    text = "\n".join(reached_values.text)
    assert [forbidden_word for forbidden_word in caller.forbidden_words if forbidden_word in text] == [], caller.name
    for fact in ("description", "purpose", "reason", "forced", "notes", "metadata"):
        assert f"public-theirs-{fact}" in text, f"{caller.name} does not see a {fact}"
    for path, names in reached_values.names.items():
        if audience_of_field(*path.split(".")) is Audience.NAME and not caller.sees_all:
            assert not [name for name in names if "canary" in name], path
    for root, kind in PRIVATE.items():
        if root in reached_values.totals:
            visible_ids = {identity for noun, identity in visible if noun == kind}
            assert reached_values.totals[root] == len(visible_ids), f"{caller.name} counts other {root} than it sees"


@pytest.mark.parametrize("executor", Executor)
async def test_each_caller_reaches_exactly_what_the_table_allows(
    private: VisibilityScenario, database_url: str, tmp_path: Path, executor: Executor, reached: dict[str, Counter[str]]
) -> None:
    async with every_way(database_url, tmp_path, executor) as ways:
        for caller in private.callers:
            reached_values = await crawl(ways[caller.name != "AUTH=off"], private, caller)
            reached.setdefault(caller.name, Counter()).update(reached_values.cells)
            if caller.name == "ADMIN key":
                missing = _below("Query") - {path.partition(".")[0] for path in reached_values.cells}
                assert missing - SELDOM_REACHED == UNREACHED


def test_every_type_and_every_kind_of_event_has_a_row_in_the_table() -> None:
    objects = [item for item in CORE.type_map.values() if isinstance(item, GraphQLObjectType)]
    for kind in objects:
        if not kind.name.startswith("__"):
            for name in kind.fields:
                audience_of_field(kind.name, name)
    names = {object_type.name for object_type in objects} | {"Lineage", "SearchResult", "UnusedField"}
    assert TYPE_AUDIENCES.keys() <= names
    assert {event.kind for event in EVENT_AUDIENCES} == {value.value for value in _enum("EventKind")}
    assert len(PUBLIC_EVENT_KINDS) == 62


def _below(root: str) -> set[str]:
    """The object types reachable from a type, itself included."""
    reached_values, waiting = set[str](), {root}
    while waiting:
        kind: Any = CORE.type_map[waiting.pop()]
        reached_values.add(kind.name)
        fields = kind.fields.values() if hasattr(kind, "fields") else ()
        nexts = [get_named_type(field.type) for field in fields]
        nexts += CORE.get_possible_types(kind) if is_abstract_type(kind) else []
        waiting |= {
            next_type.name
            for next_type in nexts
            if not is_leaf_type(next_type) and next_type.name not in reached_values
        }
    return {name for name in reached_values if isinstance(CORE.type_map[name], GraphQLObjectType)}


def test_no_shared_subscription_holds_a_field_that_depends_on_the_key() -> None:
    """Shared subscriptions run once per team and scope, so they must not reach types that depend on the key."""
    assert _below("Subscription") & {"ApiKey", "Query", "Viewer"} == set()


def _enum(name: str) -> list[Any]:
    reached_values: Any = CORE.type_map[name]
    return [*reached_values.values.values()]
