"""Compare two JSON Schemas with the diff engine alone: no server, no database.

    python examples/compare_schemas.py                       # the two schemas below
    python examples/compare_schemas.py old.json new.json

The exit code is 1 if the change breaks queries that read the table by column names.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tessera_gql.diff import Certainty, Mode, SchemaDiff, SchemaError, compare, list_fields

OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "status": {"enum": ["new", "paid"]},
        "coupon": {"type": "string", "maxLength": 20},
    },
    "required": ["order_id", "status"],
}
NEW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "status": {"enum": ["new", "paid", "refunded"]},
        "channel": {"type": ["string", "null"]},
    },
    "required": ["order_id", "status"],
}


def print_changes(diff: SchemaDiff) -> None:
    """Print each change with the modes in which it breaks, its counterexample and its hint."""
    for change in diff.changes:
        modes = ", ".join(mode for mode in Mode if mode in change.breaks) or "no mode"
        print(f"{change.kind} {change.path}: breaks {modes}")
        if change.breaks and change.certainty is Certainty.PROVEN:
            print(f"  for example {json.dumps(change.counterexample)}")
        if change.hint:
            print(f"  hint: {change.hint}")


def main(paths: list[str]) -> int:
    old, new = (json.loads(Path(path).read_text()) for path in paths) if paths else (OLD, NEW)
    try:
        diff = compare(old, new)
    except SchemaError as error:  # invalid, or over a limit of the engine
        print(f"{error.reason} At {error.pointer or 'the root'} of the {error.side} schema.", file=sys.stderr)
        return 2
    print("fields:", ", ".join(field.path for field in list_fields(new)))
    print_changes(diff)
    for mode in Mode:
        print(f"{mode}: {'compatible' if diff.is_compatible(mode) else 'breaking'}, bump {diff.bump(mode)}")
    return 0 if diff.is_compatible(Mode.CONSUMER) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
