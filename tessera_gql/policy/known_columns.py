"""Compare declared columns with declared ones, and observed columns with observed ones.

A manifest declares some columns of a table; a catalog shows all of them. To compare terms that rest on one with terms
that rest on the other, the current terms are aligned first: what a first observation shows is a new baseline, about
which no team is asked. From then on, every difference counts.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeGuard

from tessera_gql.diff import Change, ChangeKind, json_pointer
from tessera_gql.policy.column_promises import align_promises, match_promises

if TYPE_CHECKING:
    from tessera_gql.policy.compatibility import KnownColumns, Terms

Schema: TypeAlias = dict[str, Any]
Entry: TypeAlias = Mapping[str, str | None]

_TYPE_KEYWORDS = frozenset(
    {"type", "format", "x-physical-type", "items", "properties", "required", "additionalProperties", "anyOf", "oneOf"}
)
_UNALIGNED_KEYWORDS = frozenset({"$ref", "allOf"})
"""Keywords of columns that are compared as they are, because what they allow is not visible in the column itself."""
_NO_COLUMN_MARKS = frozenset({"missing", "undocumented"})
_MAX_LISTED = 5


class Alignment(NamedTuple):
    """The current terms to compare with proposed ones, and the changes that this leaves out, none of which breaks."""

    terms: "Terms"
    rebaselined: tuple[Change, ...] = ()


def has_observations(known_columns: "KnownColumns | None") -> bool:
    """Return whether a catalog has covered the table."""
    return any("observed" in entry for entry in (known_columns or {}).values())


def carry_over(
    known_columns: "KnownColumns | None", schema: object, proposed: "KnownColumns | None"
) -> "KnownColumns | None":
    """Return what is known of the columns of the next contract, with this schema and these proposed known columns.

    What a catalog has listed stays known, else the next catalog would be a first one again. The terms may come from
    elsewhere than dbt, where new columns count as declared, or from a manifest that is older than the catalog.
    """
    if known_columns is None or not has_observations(known_columns):
        return proposed
    if proposed is None:
        return _carry_over_plainly(known_columns, schema)
    observed = {name.lower() for name, entry in known_columns.items() if "observed" in entry}
    return {
        name: {**entry, "observed": None} if entry.keys() == {"declared"} and name.lower() in observed else entry
        for name, entry in proposed.items()
    }


def _carry_over_plainly(known_columns: "KnownColumns", schema: object) -> "KnownColumns | None":
    if not isinstance(schema, dict) or not isinstance(properties := schema.get("properties"), dict):
        return None
    keys = {name.lower() for name in properties}
    entries: KnownColumns = {}
    for name, entry in known_columns.items():
        is_column = name.lower() in keys or ("." in name and _locate(schema, name) is not None)
        if is_column is not bool(entry.keys() & _NO_COLUMN_MARKS):
            entries[name] = entry
    known_names = {name.lower() for name in entries}
    new_columns = {name: part for name, part in properties.items() if name.lower() not in known_names}
    return entries | {name: {"declared": _describe_type(part)} for name, part in new_columns.items()}


def align(current: "Terms", proposed: "Terms") -> Alignment:
    """Align the current terms with proposed ones that come from dbt; others are compared as they are.

    - A column that was never observed, and that a catalog does not show, is taken out.
    - A column whose type is known for the first time gets the proposed type, but keeps its nullability and its values.
    - A column that differs in case alone is spelled as proposed.
    """
    if proposed.known_columns is None or not (_has_distinct_columns(current.schema) and _has_columns(proposed.schema)):
        return Alignment(current)
    after = _list_columns(proposed)
    before = _list_columns(current, [column.name for column in after.values() if "." in column.name])
    unobserved = _list_unobserved(before, after, proposed.known_columns)
    common = [(before[key], after[key]) for key in sorted(before) if key in after]
    typed = [pair for pair in common if _has_first_type(*pair)]
    spelling = {old.name: new.name for old, new in common if old.name != new.name}
    promise_spelling = match_promises(current.guarantees, proposed.guarantees)
    if not (unobserved or typed or spelling or promise_spelling):
        return Alignment(current)
    schema = _Baseline(current.schema, proposed.schema, spelling)
    retyped = {
        new.name: new.type_text
        for old, new in typed
        if old.is_field == new.is_field and schema.retype(old.name, new.name)
    }
    for name in (*unobserved, *(new.name for old, new in typed if new.is_field and not old.is_field)):
        schema.remove(name)
    guarantees = align_promises(current.guarantees, promise_spelling | spelling | dict.fromkeys(unobserved))
    terms = replace(current, schema=schema.root, guarantees=guarantees, known_hash=None)
    removed = tuple(_describe_unobserved(name) for name in unobserved)
    return Alignment(terms, (*removed, *((_describe_types(retyped),) if retyped else ())))


class _Column(NamedTuple):
    """A column of a schema: its name, what is known of it, and whether it has any type."""

    name: str
    entry: Entry
    type_text: str | None
    is_field: bool
    """Whether it is a field of a record."""
    kind: tuple[list[str], object] = ([], None)
    """The JSON types and the format."""


def _has_columns(schema: object) -> TypeGuard[Schema]:
    return isinstance(schema, dict) and isinstance(schema.get("properties"), dict)


def _has_distinct_columns(schema: object) -> bool:
    """Return whether no two columns differ in case alone, so that one can't stand for the other."""
    return _has_columns(schema) and len(schema["properties"]) == len({name.lower() for name in schema["properties"]})


def _list_columns(terms: "Terms", fields: Iterable[str] = ()) -> dict[str, _Column]:
    """Return the columns by lower-cased name, and fields of records that are known or listed.

    What terms without known columns have counts as declared.
    """
    known_entries: dict[str, tuple[str, Entry]] = {
        name.lower(): (name, entry) for name, entry in (terms.known_columns or {}).items()
    }
    names = {name.lower(): name for name in fields}
    names |= {name.lower(): name for name in terms.schema["properties"]}
    names |= {key: name for key, (name, _) in known_entries.items() if "." in name}
    columns: dict[str, _Column] = {}
    for key, name in names.items():
        if (location := _locate(terms.schema, name)) is None:
            continue
        part = location.parent["properties"][location.field]
        entry = known_entries[key][1] if key in known_entries else {"declared": _describe_type(part)}
        type_text, is_field = entry.get("observed") or entry.get("declared"), location.parent is not terms.schema
        columns[key] = _Column(location.name, entry, type_text, is_field, _find_kind(part))
    return columns


def _find_kind(part: object) -> tuple[list[str], object]:
    return (sorted(_list_types(part)), part.get("format")) if isinstance(part, dict) else ([], None)


def _describe_type(part: object) -> str | None:
    """Return a text if the schema of a column has a type."""
    if not isinstance(part, dict) or not part.keys() & (_TYPE_KEYWORDS | _UNALIGNED_KEYWORDS):
        return None
    match part.get("x-physical-type"):
        case {"text": str(text)} if text:
            return text
        case _:
            return str(part.get("type", "unknown"))


def _list_unobserved(
    before: Mapping[str, _Column], after: Mapping[str, _Column], known_columns: "KnownColumns"
) -> list[str]:
    """List the columns that are gone and that no catalog of the table ever listed."""
    if not has_observations(known_columns):
        return []
    undocumented = {name.lower() for name, entry in known_columns.items() if "undocumented" in entry}
    gone_keys = before.keys() - after.keys() - undocumented
    return [column.name for key, column in before.items() if key in gone_keys and "observed" not in column.entry]


def _has_first_type(old: _Column, new: _Column) -> bool:
    """Return whether a type is known for the first time, or how the warehouse spells a type that was declared anew.

    A declared type that narrows makes the observed one obsolete and asks no team, so that it must not allow a type of
    another kind.
    """
    if old.type_text is None and new.entry.get("declared") is not None:
        return True
    is_redeclared = "observed" in old.entry and old.type_text is not None
    is_first_observed = old.entry.get("observed") is None and new.entry.get("observed") is not None
    return is_first_observed and (not is_redeclared or old.kind == new.kind)


@dataclass(frozen=True)
class _Location:
    """The object schema that holds a column, the name of the column in it, and its whole name."""

    parent: Schema
    field: str
    name: str


def _locate(schema: Schema, name: str) -> _Location | None:
    """Find a column in any case, also a field of a record such as `items.sku`."""
    if name in schema["properties"]:
        return _Location(schema, name, name)
    parent = schema
    *records, field = name.split(".")
    path: list[str] = []
    for record in records:
        match = _match_name(parent, record)
        if match is None:
            return None
        path.append(match)
        part = parent["properties"][match]
        while isinstance(part, dict) and "items" in part and "properties" not in part:
            part = part["items"]
        if not isinstance(part, dict):
            return None
        parent = part
    match = _match_name(parent, field)
    return None if match is None else _Location(parent, match, ".".join([*path, match]))


def _match_name(schema: Schema, name: str) -> str | None:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return None
    if name in properties:
        return name
    key = name.lower()
    return next((item for item in properties if item.lower() == key), None)


class _Baseline:
    """A copy of the current schema that is changed column by column. What is not changed is shared."""

    def __init__(self, current: Schema, proposed: Schema, spelling: Mapping[str, str]) -> None:
        self.root: Schema = _respell(current, spelling)
        self._current = current
        self._proposed = proposed
        self._copied: set[str] = set()
        for old_name, new_name in spelling.items():
            if "." not in old_name:
                continue
            if (location := self._locate_copy(old_name)) is not None and location.parent is not self.root:
                field = new_name.rpartition(".")[2]
                location.parent.update(_respell(location.parent, {location.field: field}))

    def retype(self, old_name: str, name: str) -> bool:
        """Give a column the proposed type. Returns whether that changes anything."""
        target, model = self._locate_copy(name), _locate(self._proposed, name)
        original = _locate(self._current, old_name)
        if target is None or model is None or original is None:
            return False
        before = original.parent["properties"][original.field]
        after = model.parent["properties"][model.field]
        if not isinstance(before, dict) or not isinstance(after, dict) or before.keys() & _UNALIGNED_KEYWORDS:
            return False
        retyped = _replace_type(before, after)
        target.parent["properties"][target.field] = retyped
        self._restore_required(target, is_required=original.field in original.parent.get("required", ()))
        return retyped != before

    def remove(self, name: str) -> None:
        if (location := self._locate_copy(name)) is not None:
            del location.parent["properties"][location.field]
            self._restore_required(location, is_required=False)

    def _locate_copy(self, name: str) -> _Location | None:
        """Find a column; the record that holds it is copied before it is changed."""
        location = _locate(self.root, name)
        if location is None or location.parent is self.root:
            return location
        column = _match_name(self.root, name.partition(".")[0])
        if column is None or column in self._copied:
            return location
        self.root["properties"][column] = deepcopy(self.root["properties"][column])
        self._copied.add(column)
        return _locate(self.root, name)

    @staticmethod
    def _restore_required(location: _Location, *, is_required: bool) -> None:
        required = location.parent.get("required")
        names = [name for name in required if name != location.field] if isinstance(required, list) else []
        if is_required:
            names.append(location.field)
        if names or required is not None:
            location.parent["required"] = names


def _respell(schema: Schema, spelling: Mapping[str, str]) -> Schema:
    """Return a copy of an object schema whose properties are spelled anew."""
    properties = {spelling.get(name, name): part for name, part in schema["properties"].items()}
    required = schema.get("required")
    if not isinstance(required, list):
        return {**schema, "properties": properties}
    return {**schema, "properties": properties, "required": [spelling.get(name, name) for name in required]}


def _replace_type(before: Schema, after: Schema) -> Schema:
    """Return the column with another type: its values and whether it may be null stay."""
    schema = {keyword: value for keyword, value in before.items() if keyword not in _TYPE_KEYWORDS | {"enum"}}
    schema |= {keyword: deepcopy(value) for keyword, value in after.items() if keyword in _TYPE_KEYWORDS}
    types = _list_types(after)
    if types:
        nullable_types = [*types, "null"] if _accepts_null(before) else types
        schema["type"] = nullable_types if len(nullable_types) > 1 else nullable_types[0]
    values = before.get("enum")
    if isinstance(values, list) and (fitting := _convert_values(values, types)) is not None:
        schema["enum"] = fitting
    return schema


def _list_types(part: Schema) -> list[str]:
    """Return the JSON types of a column beside null."""
    types = part.get("type")
    return [
        item for item in (types if isinstance(types, list) else [types]) if isinstance(item, str) and item != "null"
    ]


def _accepts_null(part: object) -> bool:
    if not isinstance(part, dict):
        return part is not False
    branches = part.get("anyOf", part.get("oneOf"))
    if isinstance(branches, list):
        return any(_accepts_null(branch) for branch in branches)
    types = part.get("type", "null")
    allows_null = "null" in types if isinstance(types, list) else types == "null"
    return allows_null and ("enum" not in part or None in part["enum"])


def _convert_values(values: list[Any], types: list[str]) -> list[Any] | None:
    """Convert values to a type, as far as they have the same text; None if one has no value of the type."""
    converted = [_convert_value(value, types) for value in values if value is not None]
    if None in converted:
        return None
    return [*converted, *([None] if None in values else [])]


def _convert_value(value: Any, types: list[str]) -> Any:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    match types:
        case ["integer"] | ["number"]:
            return _parse_number(text)
        case ["boolean"]:
            return {"true": True, "false": False}.get(text.lower())
        case ["string"]:
            return text
        case []:
            return value
        case _:
            return None


def _parse_number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _describe_unobserved(name: str) -> Change:
    return Change(
        kind=ChangeKind.PROPERTY_REMOVED,
        pointer=json_pointer("properties", *name.split(".")),
        path=name,
        fields=(name,),
        before=None,
        after=None,
        breaks=frozenset(),
        message=f"{name} was declared, but the catalog has no such column, and none was ever observed.",
    )


def _describe_types(types: Mapping[str, str | None]) -> Change:
    """Describe all first types as one change: the first catalog of a table adds a type to every column."""
    names = sorted(types)
    listed = ", ".join(names[:_MAX_LISTED])
    remaining = len(names) - _MAX_LISTED
    columns = f"{listed} and {remaining} more" if remaining > 0 else listed
    return Change(
        kind=ChangeKind.TYPE_NARROWED,
        pointer="",
        path="",
        fields=tuple(names),
        before=None,
        after={name: types[name] for name in names},
        breaks=frozenset(),
        message=f"The types of these columns are known for the first time: {columns}.",
    )
