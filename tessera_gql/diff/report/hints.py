"""Suggest an edit of the new schema that avoids a breaking change, verified by comparing again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, cast

from tessera_gql.diff.changes import ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.differences import Difference, PropertyStep, Route
from tessera_gql.diff.keywords.physical_type import PHYSICAL_TYPE
from tessera_gql.diff.keywords.registry import KEYWORDS_BY_NAME
from tessera_gql.diff.keywords.undeclared import CLOSING_KEYWORDS
from tessera_gql.diff.messages import format_value, format_values
from tessera_gql.diff.prove.assessment import Assessment
from tessera_gql.diff.read.schema import Keywords
from tessera_gql.diff.read.view import View
from tessera_gql.diff.values.json import Json, escape_token, resolve_pointer, split_pointer
from tessera_gql.diff.values.json_types import NULL, format_types, type_names

K = ChangeKind
Compare = Callable[[object, object], SchemaDiff]
MAX_SCHEMAS = 500
"""Nodes of two schemas up to which a hint is verified by comparing them in whole."""
DEFINITIONS = ("$defs", "definitions")
SEPARATE_KEYWORDS = frozenset(
    {"$schema", "$id", "id", "$comment", "title", "description", "type", "properties", "required", *DEFINITIONS}
)
"""Keywords of an object whose columns don't depend on each other: each can be compared alone."""
UNLIMITED_REFERENCES = frozenset({"$dynamicRef", "$recursiveRef"})
HINTED_MODES = frozenset((Mode.BACKWARD, Mode.CONSUMER, Mode.FORWARD))
"""A hint avoids the break in one of these modes at least."""
REMOVED = object()


class Edit(NamedTuple):
    """An edit that sets keywords of the schema at a pointer, or removes those whose value is `REMOVED`."""

    sentence: str
    pointer: str
    keywords: dict[str, object]


class Hint(NamedTuple):
    """An edit with the sentence that suggests it, and the modes in which it was verified not to break."""

    edit: Edit
    modes: frozenset[Mode]


def find_hint(
    assessment: Assessment,
    assessments: Sequence[Assessment],
    old: object,
    new: object,
    compare: Compare,
    *,
    is_separable: bool = False,
) -> Hint | None:
    """Return the first edit after which only breaks of other changes remain in a mode; None if there is none.

    If the columns of both schemas are separable, only those that the change and the edit are about are compared.
    """
    is_physical = assessment.difference.pointer.endswith(f"/{PHYSICAL_TYPE.names[0]}")
    list_edits = _keep_physical_type if is_physical else EDITORS.get(assessment.difference.kind)
    if assessment.pair is None or list_edits is None or assessment.breaks.isdisjoint(HINTED_MODES):
        return None
    for edit in list_edits(assessment, assessment.pair.old, assessment.pair.new):
        edited = _apply(edit, new)
        if edited is None:
            continue
        remaining = compare(*(_keep_changed_columns(assessment, old, new, edited) if is_separable else (old, edited)))
        modes = frozenset(mode for mode in assessment.breaks if _is_avoided(assessment, assessments, remaining, mode))
        if modes & HINTED_MODES:
            return Hint(edit, modes)
    return None


def _is_avoided(assessment: Assessment, assessments: Sequence[Assessment], remaining: SchemaDiff, mode: Mode) -> bool:
    """Return whether the remaining changes break a mode only where the other changes do."""
    remaining_keys = {(change.kind, change.path) for change in remaining.breaking_changes(mode)}
    if not remaining_keys:
        return True
    own_key = assessment.difference.kind, assessment.path
    breaks = {(item.difference.kind, item.path) for item in assessments if mode in item.breaks} - {own_key}
    return remaining_keys <= breaks


def are_columns_separable(schema: object) -> bool:
    """Return whether the verdict on a column of a schema depends on no other column: a plain table has such columns."""
    if not isinstance(schema, dict):
        return False
    keywords = cast("Keywords", schema)
    parts = [keywords.get(name, {}) for name in ("properties", *DEFINITIONS)]
    return (
        "properties" in keywords
        and all(name in SEPARATE_KEYWORDS or name.startswith("x-") for name in keywords)
        and all(isinstance(part, dict) and all(map(_leads_to_definitions, _list_objects(part))) for part in parts)
    )


def _leads_to_definitions(part: Mapping[str, object]) -> bool:
    """Return whether the references of an object lead to definitions of the document at most, whatever its base is."""
    reference = part.get("$ref", "#/$defs/")
    return (
        isinstance(reference, str)
        and reference.startswith(tuple(f"#/{name}/" for name in DEFINITIONS))
        and UNLIMITED_REFERENCES.isdisjoint(part)
        and not any(isinstance(part.get(name), str) for name in ("$id", "id"))
    )


def _list_objects(value: object) -> Iterator[Mapping[str, object]]:
    """Yield all objects within a value of JSON."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _keep_changed_columns(assessment: Assessment, old: object, new: object, edited: object) -> tuple[object, object]:
    """Reduce the old and the edited schema to the columns that the change and its edit are about."""
    before, after = cast("Keywords", new), cast("Keywords", edited)
    if any(after.get(name) is not before.get(name) for name in DEFINITIONS):  # columns share what is edited
        return old, edited
    columns, edited_columns = cast("Keywords", before["properties"]), cast("Keywords", after["properties"])
    difference = assessment.difference
    first_names = [step.name for step in assessment.route[:1] if isinstance(step, PropertyStep)]
    changed_names = [name for name in edited_columns if edited_columns[name] is not columns.get(name, REMOVED)]
    names = {difference.name, *first_names, *changed_names}
    if difference.kind is K.PROPERTY_RENAMED:
        names.add(str(difference.before))
    old_columns = cast("Keywords", cast("Keywords", old)["properties"])
    if names.isdisjoint(old_columns) or names.isdisjoint(edited_columns):  # a table without columns is another kind
        return old, edited
    return _keep_columns(old, names), _keep_columns(edited, names)


def _keep_columns(schema: object, names: AbstractSet[str | None]) -> object:
    keywords = cast("Keywords", schema)
    reduced: dict[str, object] = {**keywords}
    properties = cast("Keywords", keywords["properties"])
    reduced["properties"] = {name: properties[name] for name in properties.keys() & names}
    if "required" in keywords:
        reduced["required"] = [name for name in cast("list[str]", keywords["required"]) if name in names]
    return reduced


def _apply(edit: Edit, new: object) -> object:
    """Return the edited schema, which shares what the edit leaves alone; None if the pointer leads to no object."""
    if not isinstance(resolve_pointer(new, edit.pointer), dict):
        return None
    return _edit_at(new, split_pointer(edit.pointer), edit.keywords)


def _edit_at(value: object, tokens: Sequence[str], keywords: Mapping[str, object]) -> object:
    if isinstance(value, list):
        items = [*cast("list[object]", value)]
        items[int(tokens[0])] = _edit_at(items[int(tokens[0])], tokens[1:], keywords)
        return items
    schema = {**cast("Keywords", value)}
    if tokens:
        schema[tokens[0]] = _edit_at(schema[tokens[0]], tokens[1:], keywords)
        return schema
    return {name: keyword for name, keyword in {**schema, **keywords}.items() if keyword is not REMOVED}


def apply_together(edits: Sequence[Edit], new: object) -> object:
    """Return the schema with all edits, of which several may be of one subschema; one that no longer fits is left out.

    Nothing is verified: edits that avoid a break alone may break together.
    """
    edited = new
    for edit in edits:
        before, node = (resolve_pointer(schema, edit.pointer) for schema in (new, edited))
        if isinstance(before, dict) and isinstance(node, dict):
            merged = _merge_keywords(cast("Keywords", before), cast("Keywords", node), edit.keywords)
            edited = _edit_at(edited, split_pointer(edit.pointer), merged)
    return edited


def _merge_keywords(before: Keywords, node: Keywords, keywords: Mapping[str, object]) -> dict[str, object]:
    """Merge what an edit changes of a schema into the schema that other edits have changed already."""
    merged: dict[str, object] = {}
    for name, value in keywords.items():
        old, present = before.get(name), node.get(name)
        if isinstance(value, dict) and isinstance(old, dict) and isinstance(present, dict):
            own, base = cast("Keywords", value), cast("Keywords", old)
            changed = {key: item for key, item in own.items() if key not in base or base[key] is not item}
            merged[name] = {**cast("Keywords", present), **changed}
        elif name == "required":
            merged[name] = _merge_names(old, present, value) or REMOVED
        else:
            merged[name] = value
    return merged


def _merge_names(old: object, present: object, value: object) -> list[object]:
    base, current, own = (
        cast("list[object]", item) if isinstance(item, list) else [] for item in (old, present, value)
    )
    dropped = [name for name in base if name not in own]
    return [*dict.fromkeys([*(name for name in current if name not in dropped), *(n for n in own if n not in base)])]


def _keep_property(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    """Keep a removed or renamed property, and leave the new name of a renamed one optional."""
    difference, node = assessment.difference, new.schemas[0]
    is_rename = difference.kind is K.PROPERTY_RENAMED
    name = str(difference.before) if is_rename else difference.name
    if name is None or name not in old.properties:
        return
    raw = old.properties[name][0].properties[name]
    deprecated = {**cast("Keywords", raw), "deprecated": True} if isinstance(raw, dict) else raw
    required = [peer for peer in node.required if not (is_rename and peer == difference.name)]
    required += [name] if name in old.required else []
    sentence = f"Keep {name} as well, marked deprecated, until nobody reads it"
    if is_rename and difference.name in node.required:
        sentence += f", and add {difference.name} as optional"
    keywords = {"properties": {**node.properties, name: deprecated}, "required": required or REMOVED}
    yield Edit(f"{sentence}.", node.pointer, keywords)


def _leave_optional(assessment: Assessment, _: View, new: View) -> Iterator[Edit]:
    name = assessment.difference.name
    if name in new.required:
        holder = new.required[name]
        is_new = assessment.difference.kind is K.PROPERTY_ADDED
        names = [required for required in holder.required if required != name]
        sentence = f"Add {name} as optional." if is_new else f"Keep {name} optional."
        yield Edit(sentence, holder.pointer, {"required": names or REMOVED})


def _keep_required(assessment: Assessment, _: View, new: View) -> Iterator[Edit]:
    name, node = str(assessment.difference.name), new.schemas[0]
    yield Edit(f"Keep {name} required.", node.pointer, {"required": [*node.required, name]})


def _accept_old_types(_: Assessment, old: View, new: View) -> Iterator[Edit]:
    lost = ", ".join(type_names(old.types & ~new.types))
    yield Edit(f"Accept {lost} as well.", new.schemas[0].pointer, {"type": type_names(old.types | new.types)})


def _keep_physical_type(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    yield from _add_column(assessment, old, new)
    (name,) = PHYSICAL_TYPE.names
    keywords: dict[str, object] = {name: old.value_of(name), "type": type_names(old.types)}
    yield Edit(f"Keep the type {assessment.difference.before}.", new.schemas[0].pointer, keywords)


def _replace_type(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    yield from _add_column(assessment, old, new)
    yield from _accept_old_types(assessment, old, new)


def _refuse_new_types(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    yield from _add_column(assessment, old, new)
    pointer = new.schemas[0].pointer
    if assessment.difference.kind is K.NULLABLE_ADDED:
        yield Edit("Leave null out.", pointer, {"type": type_names(new.types & ~NULL)})
    else:
        yield Edit(f"Keep the type {format_types(old.types)}.", pointer, {"type": type_names(old.types)})


def _add_column(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    """Keep the column as it was and add one with the new schema."""
    route, node = assessment.route, new.nodes[0]
    if not route or not isinstance(route[-1], PropertyStep):
        return
    name, parent = route[-1].name, _find_parent(route, node.pointer)
    properties = resolve_pointer(node.document.raw, f"{parent}/properties")
    if isinstance(properties, dict) and name in properties:
        columns = cast("Keywords", properties)
        fresh_names = (f"{name}_{number}" for number in range(2, len(columns) + 3))
        added_name = next(fresh_name for fresh_name in fresh_names if fresh_name not in columns)
        edited = {**columns, name: old.nodes[0].raw, added_name: columns[name]}
        sentence = f"Keep {name} as it was and add a new column {_describe_need(assessment.difference)}."
        yield Edit(sentence, parent, {"properties": edited})


def _find_parent(route: Route, pointer: str) -> str:
    """Return the pointer of the schema that may declare the last property of a route, whose schema is at a pointer."""
    tokens = [f"/properties/{escape_token(step.name)}" for step in route if isinstance(step, PropertyStep)]
    return pointer.removesuffix(tokens[-1]) if pointer.endswith(tokens[-1]) else "".join(tokens[:-1])


def _describe_need(difference: Difference) -> str:
    match difference.kind, difference.after:
        case K.NULLABLE_ADDED, _:
            return "that allows null"
        case K.ENUM_VALUES_ADDED, list(values):
            return f"that allows {format_values(values)}"
        case ((K.TYPE_CHANGED | K.TYPE_WIDENED), list(names)):
            return f"of type {' | '.join(map(str, names))}"
        case ((K.TYPE_CHANGED | K.TYPE_WIDENED | K.TYPE_NARROWED), str(name)):
            return f"of type {name}"
        case ((K.TYPE_CHANGED | K.TYPE_WIDENED), _):
            return "of the new type"
        case _:
            return "for the new values"


def _keep_values(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    pointer = new.schemas[0].pointer
    if old.enum is None or new.enum is None:
        yield Edit("Leave the values unlimited.", pointer, {"enum": REMOVED, "const": REMOVED})
    else:
        removed = cast("list[Json]", assessment.difference.before or [])
        keywords = {"enum": [*(old.enum | new.enum).values()], "const": REMOVED}
        yield Edit(f"Keep {format_values(removed)} in the enum.", pointer, keywords)


def _leave_values_out(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    yield from _add_column(assessment, old, new)
    if old.enum is not None:
        values = [value for key, value in old.enum.items() if new.enum is None or key in new.enum]
        added = assessment.difference.after
        sentence = f"Leave {format_values(added)} out of the enum." if isinstance(added, list) else "Keep the enum."
        yield Edit(sentence, new.schemas[0].pointer, {"enum": values})


def _keep_constraint(assessment: Assessment, old: View, new: View) -> Iterator[Edit]:
    """Give the keyword its old value."""
    keyword, node = assessment.difference.pointer.rpartition("/")[2], new.schemas[0]
    names = KEYWORDS_BY_NAME[keyword].names if keyword in KEYWORDS_BY_NAME else ()
    values = {name: value for name in names if (value := old.value_of(name)) is not None}
    if values or keyword in node.keywords:
        sentence = _constraint_sentence(keyword, values)
        yield Edit(sentence, node.pointer, {name: values.get(name, REMOVED) for name in names})


def _constraint_sentence(keyword: str, values: Mapping[str, Json]) -> str:
    if keyword in CLOSING_KEYWORDS:
        return f"Keep undeclared fields {'forbidden' if values.get(keyword) is False else 'allowed'}."
    if keyword == "uniqueItems":
        return f"Keep duplicate items {'forbidden' if values.get(keyword) is True else 'allowed'}."
    if not values:
        return f"Leave {keyword} out."
    return f"Keep {' and '.join(f'{name} at {format_value(value)}' for name, value in values.items())}."


def _leave_default_out(_: Assessment, __: View, new: View) -> Iterator[Edit]:
    yield Edit("Leave the default out.", new.schemas[0].pointer, {"default": REMOVED})


def _keep_default(assessment: Assessment, _: View, new: View) -> Iterator[Edit]:
    default = assessment.difference.before
    yield Edit(f"Keep the default {format_value(default)}.", new.schemas[0].pointer, {"default": default})


EDITORS: dict[ChangeKind, Callable[[Assessment, View, View], Iterator[Edit]]] = {
    K.PROPERTY_REMOVED: _keep_property,
    K.PROPERTY_RENAMED: _keep_property,
    K.PROPERTY_ADDED: _leave_optional,
    K.REQUIRED_ADDED: _leave_optional,
    K.REQUIRED_REMOVED: _keep_required,
    K.TYPE_NARROWED: _accept_old_types,
    K.NULLABLE_REMOVED: _accept_old_types,
    K.TYPE_CHANGED: _replace_type,
    K.TYPE_WIDENED: _refuse_new_types,
    K.NULLABLE_ADDED: _refuse_new_types,
    K.ENUM_VALUES_REMOVED: _keep_values,
    K.ENUM_VALUES_ADDED: _leave_values_out,
    K.CONSTRAINT_TIGHTENED: _keep_constraint,
    K.CONSTRAINT_RELAXED: _keep_constraint,
    K.CONSTRAINT_CHANGED: _keep_constraint,
    K.DEFAULT_ADDED: _leave_default_out,
    K.DEFAULT_REMOVED: _keep_default,
}
"""The edits that may avoid a change of each kind, the most useful first."""
