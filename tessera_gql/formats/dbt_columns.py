"""dbt's columns as one JSON Schema: a column nobody calls `not_null` may be null, and need not be present."""

from collections.abc import Mapping

from tessera_gql.formats import dbt_types
from tessera_gql.formats.dbt_tests import Literal, Promises, as_number
from tessera_gql.formats.document import Document, JsonObject

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEEPEST = 16  # BigQuery nests records 15 deep
_PARENTS = frozenset({"object", "array"})


def schema(columns: Mapping[str, Document], promises: Promises, *, is_sized: bool, has_records: bool) -> JsonObject:
    """`is_sized`: see `dbt_types.read`. `has_records`: in this warehouse the column `a.b` is a field of `a`
    even where `a` is not listed; elsewhere only where it is listed as an object or array."""
    root: JsonObject = {"$schema": _DIALECT, "type": "object", "properties": {}, "required": []}
    for name in sorted(columns):
        described, is_required = _column(columns[name], promises, name.lower(), is_sized=is_sized)
        holder, field = _place(root, name, has_records=has_records)
        holder.setdefault("properties", {})[field] = described
        if is_required:
            holder.setdefault("required", []).append(field)
    return root


def _column(column: Document, promises: Promises, key: str, *, is_sized: bool) -> tuple[JsonObject, bool]:
    data_type = column.text("data_type")
    read = dbt_types.read(data_type, is_sized=is_sized) if data_type else dbt_types.DataType({})
    for unknown in read.unknown:
        column.notes.add(f"Columns of the unknown type `{unknown}` may hold any value", column.name)
    is_required = read.is_required or key in promises.never_null
    described = read.schema | _enumerated(promises.accepted.get(key, ()), read.schema.get("type"))
    if not is_required:
        described = dbt_types.nullable(described)
    description = column.text("description")
    return described | ({"description": description} if description else {}), is_required


def _enumerated(accepted: tuple[Literal, ...], json_type: object) -> JsonObject:
    """The accepted values as the column's type holds them; nothing where one cannot be of it."""
    values = [_of_type(value, json_type) for value in accepted]
    return {"enum": values} if values and None not in values else {}


def _of_type(value: Literal, json_type: object) -> Literal | None:
    match json_type:
        case "integer" | "number":
            return value if not isinstance(value, str | bool) else as_number(str(value))
        case "boolean":
            return {"true": True, "false": False}.get(str(value).lower())
        case "string":
            return str(value)
        case None:
            return value
        case _:
            return None


def _place(root: JsonObject, name: str, *, has_records: bool) -> tuple[JsonObject, str]:
    """The object schema that holds a column, and its name there: `items.sku` is `sku` in `items`."""
    *parents, field = name.split(".")
    if not parents or len(parents) >= _DEEPEST or not all(parents) or not field:
        return root, name
    holder = root
    for parent in parents:
        known = holder.get("properties", {}).get(parent, {})
        types = set(known["type"] if isinstance(known.get("type"), list) else [known.get("type")])
        if not (types & _PARENTS or (has_records and types == {None})):
            return root, name
        holder = _record(holder.setdefault("properties", {}).setdefault(parent, {}))
    return holder, field


def _record(described: JsonObject) -> JsonObject:
    """The object schema inside an array's items, however deep."""
    while "array" in (described.get("type") or ()):
        described = described.setdefault("items", {})
    return described
