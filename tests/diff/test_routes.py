"""Routes to a part of a document are listed in document order up to a limit."""

import pytest

from tessera_gql.diff import compare
from tessera_gql.diff.compare.routes import find_routes
from tessera_gql.diff.differences import ItemStep, OtherPropertyStep, PropertyNameStep, PropertyStep, SameValueStep
from tests.diff.schemas import INTEGER, TEXT, array, obj


def shared_definition(count):
    """A schema with `count` properties that refer to one definition, which has a property."""
    shared = obj(properties={"leaf": TEXT})
    return obj(properties={f"n{n}": {"$ref": "#/$defs/s"} for n in range(count)}, **{"$defs": {"s": shared}})


@pytest.mark.parametrize(("count", "fields"), [(8, tuple(f"n{n}.leaf" for n in range(8))), (9, ("",))])
def test_a_node_reached_on_more_than_eight_routes_concerns_every_reader(count, fields):
    new = {**shared_definition(count), "$defs": {"s": obj(properties={"leaf": INTEGER})}}
    (change,) = compare(shared_definition(count), new).changes
    assert change.fields == fields
    assert change.path == "n0.leaf"


def test_routes_are_found_in_document_order_and_the_shortest_is_reported():
    edges = {
        "root": [(PropertyStep("b"), "x"), (ItemStep(0), "x"), (PropertyStep("a"), "x"), (SameValueStep(), "y")],
        "x": [(OtherPropertyStep(), "y")],
    }
    routes = find_routes("root", edges)
    assert routes["root"].first == ()
    assert routes["x"].first == (ItemStep(0),)
    assert routes["x"].paths == ["b", "[]", "a"]
    assert routes["y"].first == (SameValueStep(),)
    assert routes["y"].paths == ["b.*", "[].*", "a.*", ""]
    assert routes["y"].fields() == ("b", "", "a")
    assert routes["y"].fields("c") == ("b.*.c", "[].*.c", "a.*.c", "c")


def test_among_routes_of_equal_length_the_first_by_name_is_reported():
    there = {
        "root": [(PropertyStep("b"), "x"), (PropertyStep("a"), "w")],
        "w": [(PropertyStep("d"), "y")],
        "x": [(PropertyStep("c"), "y")],
    }
    back = {node: [*reversed(edges)] for node, edges in there.items()}
    assert (
        find_routes("root", there)["y"].first
        == find_routes("root", back)["y"].first
        == (PropertyStep("a"), PropertyStep("d"))
    )


def test_the_path_of_a_change_does_not_depend_on_the_order_of_keys():
    inner = array(prefixItems=[{"$ref": "#"}], items=False)
    old, new = (obj(properties={"a": a, "id": inner}) for a in ({}, {"$ref": "#"}))
    back = [{**schema, "properties": dict(reversed(schema["properties"].items()))} for schema in (old, new)]
    reported = [(change.path, change.fingerprint) for change in compare(old, new).changes]
    assert reported == [(change.path, change.fingerprint) for change in compare(*back).changes]
    assert [path for path, _ in reported] == ["a.a", "a.id", "a"]


def test_a_property_name_has_the_path_of_its_property():
    (route,) = (find_routes("root", {"root": [(PropertyNameStep(), "name")]})["name"],)
    assert (route.paths, route.fields()) == ([""], ("",))


def test_a_recursive_node_adds_its_path_to_all_nodes_below():
    edges = {
        "root": [(PropertyStep("a"), "x"), (PropertyStep("z"), "w")],
        "x": [(PropertyStep("b"), "y")],
        "y": [(PropertyStep("c"), "x")],
    }
    routes = find_routes("root", edges)
    assert routes["x"].fields() == ("a", "a.b.c")
    assert routes["y"].fields() == ("a.b", "a.b.c")
    assert routes["w"].fields() == ("z",)


def test_a_node_with_too_many_routes_concerns_every_field_below_it_and_no_sibling():
    edges = {
        "root": [*((PropertyStep(f"n{n}"), "x") for n in range(9)), (PropertyStep("z"), "w")],
        "x": [(PropertyStep("b"), "y")],
    }
    routes = find_routes("root", edges)
    assert routes["x"].fields() == routes["y"].fields("c") == ("",)
    assert routes["w"].fields() == ("z",)


def test_the_same_change_of_several_items_is_reported_once():
    old, new = (array(prefixItems=[schema, schema], items=schema) for schema in (TEXT, INTEGER))
    assert len({change.pointer for change in compare(old, new).changes}) == len(compare(old, new).changes) == 3
