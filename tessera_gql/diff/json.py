"""JSON values: identity as JSON sees it. `1` and `1.0` are one value; `1` and `true` are two (Python says the opposite)."""

import json
import math
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"


def canonical(value: object) -> str:
    """JSON text that is equal exactly when the values are: sorted keys, no whitespace, `1.0` written `1`.

    Expects a value whose nesting has been checked; `SchemaError` is the guard's business, not this function's.
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _plain(value: object) -> object:
    match value:
        case float() if math.isfinite(value) and value == int(value):
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


def same(left: object, right: object) -> bool:
    return canonical(left) == canonical(right)


def kind_of(value: object) -> str:
    """The JSON type of a value; a number without a fraction is an `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if math.isfinite(value) and value == int(value) else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def pointer(*tokens: str | int) -> str:
    """RFC 6901: `pointer("properties", "a/b")` is `/properties/a~1b`."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
