"""The printed schema is current, described completely, and follows the same conventions throughout."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_list_type,
    is_specified_scalar_type,
)

from tessera_gql.graphql.schema import print_sdl

ROOT = Path(__file__).resolve().parents[2]
GRAPH = build_schema(print_sdl())
TYPES = [
    type_ for name, type_ in GRAPH.type_map.items() if not name.startswith("__") and not is_specified_scalar_type(type_)
]


def elements() -> Iterator[tuple[str, Any]]:
    for type_ in TYPES:
        yield type_.name, type_
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for name, field in type_.fields.items():
                    yield f"{type_.name}.{name}", field
                    yield from ((f"{type_.name}.{name}({arg}:)", value) for arg, value in field.args.items())
            case GraphQLInputObjectType():
                yield from ((f"{type_.name}.{name}", field) for name, field in type_.fields.items())
            case GraphQLEnumType():
                yield from ((f"{type_.name}.{name}", value) for name, value in type_.values.items())
            case _:
                pass


def objects() -> list[GraphQLObjectType]:
    return [type_ for type_ in TYPES if isinstance(type_, GraphQLObjectType)]


def test_the_committed_schema_is_current() -> None:
    assert (ROOT / "schema.graphql").read_text() == print_sdl(), "run: make schema"


def test_every_type_field_argument_and_value_is_described() -> None:
    assert [name for name, element in elements() if not (element.description or "").strip()] == []


def test_a_description_is_a_sentence() -> None:
    assert [name for name, element in elements() if not element.description.endswith((".", "?"))] == []


def test_roots_are_nullable_so_that_one_failure_leaves_the_rest_of_the_answer() -> None:
    roots = {**GRAPH.query_type.fields, **GRAPH.mutation_type.fields}  # type: ignore[union-attr]
    assert [name for name, field in roots.items() if isinstance(field.type, GraphQLNonNull)] == []


def test_items_of_lists_are_never_null_except_where_ids_may_be_unknown() -> None:
    nullable = []
    for type_ in objects():
        for name, field in type_.fields.items():
            outer = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
            if is_list_type(outer) and not isinstance(outer.of_type, GraphQLNonNull):
                nullable.append(f"{type_.name}.{name}")
    assert nullable == ["Query.nodes"]


def test_every_mutation_takes_one_input_and_returns_errors_query_and_client_mutation_id() -> None:
    for name, field in GRAPH.mutation_type.fields.items():  # type: ignore[union-attr]
        title = name[0].upper() + name[1:]
        assert list(field.args) == ["input"]
        assert str(field.args["input"].type) == f"{title}Input!"
        payload = field.type
        assert isinstance(payload, GraphQLObjectType)
        assert payload.name == f"{title}Payload"
        assert str(payload.fields["errors"].type) == "[UserError!]!"
        assert str(payload.fields["query"].type) == "Query"
        own = payload.fields.keys() - {"errors"}
        assert not [item for item in own if isinstance(payload.fields[item].type, GraphQLNonNull)]


EXTRA_FIELDS = {"SearchResultConnection": {"facets"}, "UnusedFieldConnection": {"isComplete", "coverage"}}
"""What connections have beside their page."""
WHOLE = {"AssetFieldConnection", "ColumnLinkConnection", "LineageConnection", "UnaskedReaderConnection"}
WHOLE |= {"UnusedFieldConnection"}
"""Connections of lists that are computed as a whole, whose count is always exact."""


def test_every_connection_has_edges_nodes_page_info_and_a_count() -> None:
    connections = [type_ for type_ in objects() if type_.name.endswith("Connection")]
    assert len(connections) >= 10
    for connection in connections:
        extra = EXTRA_FIELDS.get(connection.name, set())
        extra = extra if connection.name in WHOLE else extra | {"isTotalCountExact"}
        assert set(connection.fields) == {"edges", "nodes", "pageInfo", "totalCount"} | extra
        edge = get_named_type(connection.fields["edges"].type)
        assert isinstance(edge, GraphQLObjectType)
        assert {"cursor", "node"} <= edge.fields.keys()


def test_every_list_of_a_connection_can_be_read_in_pages() -> None:
    for type_ in objects():
        for name, field in type_.fields.items():
            if get_named_type(field.type).name.endswith("Connection"):
                assert {"first", "after"} <= field.args.keys(), f"{type_.name}.{name}"


def test_creating_mutations_can_be_retried() -> None:
    for name in ("CreateTeam", "CreateAsset", "AddDependency", "PublishContract", "Register", "SyncDbtManifest"):
        input_ = GRAPH.type_map[f"{name}Input"]
        assert isinstance(input_, GraphQLInputObjectType)
        assert "idempotencyKey" in input_.fields


def test_updates_accept_an_expected_row_version() -> None:
    for name in ("UpdateTeam", "UpdateAsset", "UpdateRegistration"):
        input_ = GRAPH.type_map[f"{name}Input"]
        assert isinstance(input_, GraphQLInputObjectType)
        assert "expectedRowVersion" in input_.fields


def test_no_default_is_printed_as_null() -> None:
    assert "= null" not in print_sdl()


@pytest.mark.parametrize("name", ["AssetRef", "TeamRef"])
def test_references_take_exactly_one_name(name: str) -> None:
    nullable: GraphQLNamedType = GRAPH.type_map[name]
    assert isinstance(nullable, GraphQLInputObjectType)
    assert nullable.is_one_of
