"""Validate documents with `jsonschema-rs` if it is installed, else with `jsonschema`.

Reads a request per line and writes the validity of its documents per line; null if the validator refuses a schema.

Runs in an environment that may have nothing but `jsonschema-rs`, so it imports nothing of the project.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

NAMES = {4: "Draft4Validator", 6: "Draft6Validator", 7: "Draft7Validator", 2019: "Draft201909Validator"}
Check = Callable[[Any], bool]


def build_check(schema: Any, draft: int) -> Check:
    """Return a function that validates a document."""
    name = NAMES.get(draft, "Draft202012Validator")
    try:
        import jsonschema_rs  # noqa: PLC0415 - only in its own environment
    except ImportError:
        import jsonschema  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        return getattr(jsonschema, name)(schema, registry=Registry()).is_valid
    return getattr(jsonschema_rs, name)(schema, validate_formats=False).is_valid


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            checks = [build_check(schema, request["draft"]) for schema in request["schemas"]]
            verdicts = [[check(document) for document in request["documents"]] for check in checks]
        except Exception as error:  # noqa: BLE001 - whatever a validator raises, it says nothing about the pair
            print(f"{type(error).__name__}: {error} {line}"[:500], file=sys.stderr)
            verdicts = None
        print(json.dumps(verdicts), flush=True)


if __name__ == "__main__":
    main()
