"""Remove fields from a JSON Schema by their paths, as a producer would who drops columns of a table."""

from collections.abc import Sequence
from typing import Any

from tessera_gql.errors import Invalid
from tessera_gql.policy.affected_teams import split_path

MAX_REMOVED = 500
ITEM = "[]"


def remove_fields(schema: Any, paths: Sequence[str]) -> Any:
    """Return a schema without the fields at these paths; it shares what stays. Raises Invalid for an unknown path."""
    if len(paths) > MAX_REMOVED:
        raise Invalid(
            f"{len(paths):,} fields are more than the {MAX_REMOVED} that can be left out at once. Give the new schema.",
            field=("withoutFields",),
        )
    for path in dict.fromkeys(paths):
        schema = _remove(schema, split_path(path), path)
    return schema


def _remove(schema: Any, steps: Sequence[str], path: str) -> Any:
    name, *further = steps or ("",)
    holder = "items" if name == ITEM else "properties"
    part = schema.get(holder) if isinstance(schema, dict) else None
    if name == ITEM and further and isinstance(part, dict):
        return {**schema, holder: _remove(part, further, path)}
    if name == ITEM or not isinstance(part, dict) or name not in part:
        raise Invalid(
            f"The active contract declares no field {path[:200]!r} that can be left out. Take the path from the fields"
            " of the asset, or give the whole new schema.",
            field=("withoutFields",),
        )
    if further:
        return {**schema, holder: {**part, name: _remove(part[name], further, path)}}
    result = {**schema, holder: {key: value for key, value in part.items() if key != name}}
    if isinstance(required := schema.get("required"), list):
        result["required"] = [item for item in required if item != name]
    return result
