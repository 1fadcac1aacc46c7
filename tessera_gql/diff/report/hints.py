"""Suggest an edit of the new schema that avoids a breaking change, verified by comparing again."""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple, cast

from tessera_gql.diff.changes import ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.prove.assessment import Assessment
from tessera_gql.diff.read.json import Json, resolve_pointer
from tessera_gql.diff.read.physical_types import KEYWORD as PHYSICAL_TYPE
from tessera_gql.diff.read.schema import Keywords
from tessera_gql.diff.read.view import View, type_names

K = ChangeKind
Compare = Callable[[object, object], SchemaDiff]
ChangeKey = tuple[ChangeKind, str]
MAX_SCHEMAS = 500


class Edit(NamedTuple):
    """An edit that sets a keyword of the schema at a pointer, or removes it if the value is None."""

    sentence: str
    pointer: str
    keyword: str
    value: Json


def find_hint(
    assessment: Assessment, other_breaks: set[ChangeKey], old: object, new: object, compare: Compare
) -> str | None:
    """Suggest an edit for a change that breaks BACKWARD, or return None. `other_breaks` may remain."""
    pair = assessment.pair
    edit = None if pair is None else _find_edit(assessment, pair.old, pair.new)
    if edit is None or Mode.BACKWARD not in assessment.breaks:
        return None
    edited = deepcopy(new)
    target = resolve_pointer(edited, edit.pointer)
    if not isinstance(target, dict):
        return None
    schema = cast("Keywords", target)
    if edit.value is None:
        schema.pop(edit.keyword, None)
    else:
        schema[edit.keyword] = edit.value
    remaining_breaks = {(change.kind, change.path) for change in compare(old, edited).breaking_changes(Mode.BACKWARD)}
    return edit.sentence if remaining_breaks <= other_breaks - {(assessment.difference.kind, assessment.path)} else None


def _find_edit(assessment: Assessment, old: View, new: View) -> Edit | None:
    difference, node = assessment.difference, new.schemas[0]
    keyword = difference.pointer.rpartition("/")[2]
    match difference.kind:
        case K.PROPERTY_REMOVED | K.PROPERTY_RENAMED:
            return _keep_property(assessment, old, new)
        case K.REQUIRED_ADDED | K.PROPERTY_ADDED if difference.name in new.required:
            holder = new.required[difference.name]
            names: list[Json] = [name for name in holder.required if name != difference.name]
            return Edit(f"Leave {difference.name} optional.", holder.pointer, "required", names or None)
        case K.TYPE_NARROWED | K.TYPE_CHANGED if keyword == PHYSICAL_TYPE and old.types == new.types:
            return Edit(f"Keep the physical type {difference.before}.", node.pointer, keyword, old.value_of(keyword))
        case K.TYPE_NARROWED | K.TYPE_CHANGED | K.NULLABLE_REMOVED:
            names = [*type_names(old.types | new.types)]
            return Edit(f"Accept both: {', '.join(map(str, names))}.", node.pointer, "type", names)
        case K.ENUM_VALUES_REMOVED if old.enum is not None and new.enum is not None:
            values: list[Json] = [*(old.enum | new.enum).values()]
            return Edit("Keep the old values among those allowed.", node.pointer, "enum", values)
        case K.CONSTRAINT_TIGHTENED if keyword in node.keywords and not isinstance(difference.before, dict | bool):
            before = difference.before
            sentence = f"Keep {keyword} as it was: {before}." if before is not None else f"Leave {keyword} out."
            return Edit(sentence, node.pointer, keyword, before)
        case K.DEFAULT_REMOVED:
            return Edit("Keep the default.", node.pointer, "default", difference.before)
        case _:
            return None


def _keep_property(assessment: Assessment, old: View, new: View) -> Edit | None:
    difference, node = assessment.difference, new.schemas[0]
    name = str(difference.before) if difference.kind is K.PROPERTY_RENAMED else difference.name
    if name is None or name not in old.properties:
        return None
    raw = old.properties[name][0].properties[name]
    properties = cast("Json", {**node.properties, name: raw})
    return Edit(f"Keep {name} and mark it deprecated until nobody reads it.", node.pointer, "properties", properties)
