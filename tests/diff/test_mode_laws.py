"""Laws of the five modes on generated tables: definitions, annotations, columns and what readers by name see."""

import re
from copy import deepcopy
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tessera_gql.diff import Bump, ChangeKind, Mode, compare, list_fields
from tests.diff.generators import TYPES, law
from tests.diff.oracle import asks_itself

NAMES = ("city", "total", "placed_at", "sku")
FRESH = "warehouse"
ANNOTATIONS = ("title", "description", "$comment", "x-owner")
INFORMATIVE = {ChangeKind.ANNOTATION_CHANGED, ChangeKind.DEPRECATED_CHANGED}
Table = dict[str, Any]

_texts = st.fixed_dictionaries(
    {"type": st.sampled_from(("string", ["string", "null"]))},
    optional={"minLength": st.integers(0, 3), "maxLength": st.integers(2, 6), "pattern": st.sampled_from(("^a", "b$"))},
)
_numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(("integer", "number", ["integer", "null"]))},
    optional={"minimum": st.integers(-2, 2), "maximum": st.integers(1, 5)},
)
_choices = st.fixed_dictionaries({"enum": st.lists(st.sampled_from(("a", "b", 1, 2, None)), min_size=1, unique=True)})
_types = st.builds(lambda names: {"type": names}, st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True))
_decimals = st.builds(
    lambda precision, scale: {
        "type": "number",
        "x-physical-type": {
            "family": "decimal",
            "precision": precision,
            "scale": scale,
            "text": f"decimal({precision},{scale})",
        },
    },
    st.sampled_from((10, 12)),
    st.sampled_from((0, 2)),
)
scalars = _texts | _numbers | _choices | _types
columns = scalars | _decimals
nested = st.recursive(
    columns,
    lambda inner: (
        st.builds(
            lambda properties: {"type": "object", "properties": properties},
            st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3),
        )
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=4,
)


@st.composite
def tables(draw: st.DrawFn, column: st.SearchStrategy[Any] = nested, *, is_closable: bool = True) -> Table:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), column, min_size=1, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    closed = {"additionalProperties": False} if is_closable and draw(st.booleans()) else {}
    return {"type": "object", "properties": properties, "required": required, **closed}


@st.composite
def tables_with_definitions(draw: st.DrawFn) -> Table:
    """Tables whose columns refer to two definitions, of which the first refers to the second, and may be recursive."""
    definitions = {"First": draw(tables(is_closable=False)), "Second": draw(nested)}
    definitions["First"]["properties"]["second"] = {"$ref": "#/$defs/Second"}
    if draw(st.booleans()):
        definitions["First"]["properties"]["parent"] = {"$ref": "#/$defs/First"}
    table = draw(tables())
    table["properties"] |= {"first": {"$ref": "#/$defs/First"}, "lines": {"items": {"$ref": "#/$defs/First"}}}
    return {**table, "$defs": definitions}


def broken_modes(old: Any, new: Any) -> set[Mode]:
    diff = compare(old, new)
    return {mode for mode in Mode if not diff.is_compatible(mode)}


def map_references(value: Any, rename: Any) -> Any:
    """Rewrite the target of every reference."""
    match value:
        case {"$ref": str(target), **siblings}:
            return {"$ref": rename(target), **siblings}
        case dict():
            return {key: map_references(item, rename) for key, item in value.items()}
        case list():
            return [map_references(item, rename) for item in value]
        case _:
            return value


@law(2_000)
@given(tables_with_definitions())
def test_a_schema_with_definitions_does_not_differ_from_itself_in_another_order(schema: Table) -> None:
    reordered = {key: schema[key] for key in reversed(schema)}
    reordered["properties"] = {name: schema["properties"][name] for name in reversed(schema["properties"])}
    reordered["$defs"] = {name: schema["$defs"][name] for name in reversed(schema["$defs"])}
    assert compare(schema, deepcopy(reordered)).changes == ()


@law(2_000)
@given(tables_with_definitions())
def test_renaming_a_definition_is_no_change(schema: Table) -> None:
    renamed = map_references(schema, lambda target: target.replace("First", "Address"))
    renamed["$defs"] = {"Address": renamed["$defs"]["First"], "Second": renamed["$defs"]["Second"]}
    assert compare(schema, renamed).changes == ()


@law(2_000)
@given(tables_with_definitions())
def test_inlining_a_definition_is_no_change(schema: Table) -> None:
    second = schema["$defs"]["Second"]
    inlined = deepcopy(schema)
    inlined["$defs"]["First"]["properties"]["second"] = deepcopy(second)
    del inlined["$defs"]["Second"]
    assert compare(schema, inlined).changes == ()
    assert compare(inlined, schema).changes == ()


@law(2_000)
@given(tables())
def test_extracting_a_definition_is_no_change(schema: Table) -> None:
    extracted = deepcopy(schema)
    extracted["$defs"] = {f"Of{name}": column for name, column in schema["properties"].items()}
    extracted["properties"] = {name: {"$ref": f"#/$defs/Of{name}"} for name in schema["properties"]}
    assert compare(schema, extracted).changes == ()
    assert compare(extracted, schema).changes == ()


@law(2_000)
@given(tables_with_definitions(), st.booleans())
def test_a_second_use_of_a_definition_is_an_addition(schema: Table, is_nullable: bool) -> None:
    use = {"$ref": "#/$defs/First"}
    edited = deepcopy(schema)
    edited["properties"][FRESH] = {"anyOf": [use, {"type": "null"}]} if is_nullable else use
    diff = compare(schema, edited)
    assert [change.kind for change in diff.changes] == [ChangeKind.PROPERTY_ADDED]
    assert broken_modes(schema, edited) == {Mode.FORWARD, Mode.FULL}


@st.composite
def annotated(draw: st.DrawFn, schema: Any) -> Any:
    """A copy with annotations on some of the subschemas, and no other change."""
    if not isinstance(schema, dict):
        return schema
    copy: Table = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs"):
            copy[keyword] = {name: draw(annotated(subschema)) for name, subschema in value.items()}
        elif keyword == "anyOf":
            copy[keyword] = [draw(annotated(subschema)) for subschema in value]
        else:
            copy[keyword] = draw(annotated(value)) if keyword == "items" else value
    if draw(st.booleans()):
        copy[draw(st.sampled_from(ANNOTATIONS))] = draw(st.sampled_from(("A text.", "Another text.")))
    if draw(st.integers(0, 9)) == 0:
        copy["deprecated"] = True
    return copy


@law(3_000)
@given(st.data(), tables_with_definitions())
def test_annotations_break_no_mode_even_behind_references(data: st.DataObject, schema: Table) -> None:
    old, new = (data.draw(annotated(schema)) for _ in range(2))
    diff = compare(old, new)
    assert {change.kind for change in diff.changes} <= INFORMATIVE
    assert broken_modes(old, new) == set()
    assert all(diff.bump(mode) in (Bump.NONE, Bump.PATCH) for mode in Mode)


@law(1_000)
@given(tables_with_definitions())
def test_another_identifier_of_the_schema_breaks_no_mode(schema: Table) -> None:
    old, new = ({"$id": f"https://shop.example/{version}", **schema} for version in ("v1", "v2"))
    assert broken_modes(old, new) == set()


@law(2_000)
@given(tables(), tables())
def test_backward_is_forward_of_the_swapped_tables_with_physical_types(old: Table, new: Table) -> None:
    there, back = compare(old, new), compare(new, old)
    assert there.is_compatible(Mode.BACKWARD) == back.is_compatible(Mode.FORWARD)
    assert there.is_compatible(Mode.FULL) == back.is_compatible(Mode.FULL)


@law(2_000)
@given(tables(), tables())
def test_full_implies_every_other_mode_and_none_allows_everything(old: Table, new: Table) -> None:
    broken = broken_modes(old, new)
    assert Mode.NONE not in broken
    assert broken == set() or Mode.FULL in broken


@law(2_000)
@given(tables(), nested, st.booleans())
def test_an_added_column_never_breaks_a_reader(schema: Table, column: Any, is_required: bool) -> None:
    edited = deepcopy(schema)
    edited["properties"][FRESH] = column
    edited["required"] += [FRESH] if is_required else []
    assert compare(schema, edited).is_compatible(Mode.CONSUMER)


@law(2_000)
@given(tables(), st.data())
def test_a_removed_column_always_breaks_a_reader(schema: Table, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(schema["properties"])))
    edited = deepcopy(schema)
    del edited["properties"][name]
    edited["required"] = [required for required in edited["required"] if required != name]
    assert not compare(schema, edited).is_compatible(Mode.CONSUMER)


@law(3_000)
@given(tables(scalars, is_closable=False), tables(scalars, is_closable=False))
def test_consumer_is_forward_on_the_columns_that_the_old_table_declares(old: Table, new: Table) -> None:
    names = old["properties"].keys()
    assume(names <= new["properties"].keys())
    required = [name for name in new["required"] if name in names]  # no value may satisfy a required new column
    visible = {**new, "properties": {name: new["properties"][name] for name in names}, "required": required}
    assert compare(old, {**new, "required": required}).is_compatible(Mode.CONSUMER) == compare(
        old, visible
    ).is_compatible(Mode.FORWARD)


@law(2_000)
@given(tables(), tables())
def test_what_a_reader_of_the_old_table_names_is_declared_in_a_compatible_new_one(old: Table, new: Table) -> None:
    if compare(old, new).is_compatible(Mode.CONSUMER):
        assert {field.path for field in list_fields(old)} <= {field.path for field in list_fields(new)}


def breaks_by_column(old: Table, new: Table) -> dict[str, set[Mode]]:
    """The modes that the changes of each column break."""
    modes: dict[str, set[Mode]] = {}
    for change in compare(old, new).changes:
        for field in change.fields:
            modes.setdefault(re.split(r"[.\[]", field)[0], set()).update(change.breaks)
    return modes


def without(schema: Table, name: str) -> Table:
    properties = {column: value for column, value in schema["properties"].items() if column != name}
    return {**schema, "properties": properties, "required": [item for item in schema["required"] if item != name]}


@law(2_000)
@given(tables(is_closable=False), tables(is_closable=False), st.sampled_from(NAMES))
def test_leaving_a_column_out_changes_the_verdict_of_no_other_column(old: Table, new: Table, name: str) -> None:
    assume(len(old["properties"]) > 1 and len(new["properties"]) > 1)
    assume(not any(asks_itself(schema) for schema in (old, new)))
    all_columns, fewer_columns = breaks_by_column(old, new), breaks_by_column(without(old, name), without(new, name))
    all_columns.pop(name, None)
    assert {column: modes for column, modes in all_columns.items() if modes} == {
        column: modes for column, modes in fewer_columns.items() if modes
    }
