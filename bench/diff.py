"""Measure the CPU time of comparisons, the best of many runs, for growing schemas and hostile input."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from bench._figures import Figure
from bench._results import report
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.diff import SchemaError, compare

Schema = dict[str, Any]
Work: TypeAlias = Callable[[Any, Any], None]
TYPES = ("string", "integer", "number", "boolean")


def wide_tables(size: int) -> tuple[Schema, Schema]:
    """Return two versions of a table: every tenth column changed, and a few were added and removed."""
    old = {f"column_{n}": _column(n) for n in range(size)}
    new = {name: _edit(column) if n % 10 == 0 else dict(column) for n, (name, column) in enumerate(old.items())}
    new |= {f"fresh_{n}": {"type": "string"} for n in range(max(1, size // 100))}
    for n in range(5, size, 100):
        del new[f"column_{n}"]
    names = [f"column_{n}" for n in range(0, size, 3)]
    shape = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    return {**shape, "properties": old, "required": names}, {
        **shape,
        "properties": new,
        "required": [name for name in names if name in new],
    }


def _column(n: int) -> Schema:
    column: Schema = {"type": TYPES[n % 4], "description": f"Column number {n}"}
    if n % 4 == 0:
        column["maxLength"] = 50 + n % 7
    if n % 5 == 0:
        column["type"] = [column["type"], "null"]
    return column


def _edit(column: Schema) -> Schema:
    return {**column, "type": "string", "maxLength": 40}


def doubling_references(levels: int, leaf: str) -> Schema:
    """Return a schema with two references per level."""
    definitions: Schema = {
        f"L{n}": {"properties": {"a": {"$ref": f"#/$defs/L{n + 1}"}, "b": {"$ref": f"#/$defs/L{n + 1}"}}}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/L0", "$defs": {**definitions, f"L{levels}": {"type": leaf}}}


def recursive_properties(count: int, leaf: str) -> Schema:
    """Return a schema of mutually recursive definitions, each with references to all."""
    properties = {f"p{n}": {"$ref": f"#/$defs/D{n}"} for n in range(count)}
    defs: Schema = {
        f"D{n}": {"type": "object", "properties": {**properties, "leaf": {"type": leaf}}} for n in range(count)
    }
    return {"$ref": "#/$defs/D0", "$defs": defs}


def recursive_alternatives(count: int, leaf: str) -> Schema:
    """Return a schema of mutually recursive definitions through `anyOf`."""
    defs: Schema = {
        f"D{n}": {"anyOf": [{"properties": {"x": {"$ref": f"#/$defs/D{m}"}}} for m in range(count)] + [{"type": leaf}]}
        for n in range(count)
    }
    return {"$ref": "#/$defs/D0", "$defs": defs}


def nested_items(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def hostile_pairs() -> dict[str, tuple[Any, Any]]:
    pattern = {"type": "string", "pattern": "^(a+)+$"}
    values = [f"value {n}" for n in range(100_000)]
    ref_property = {"properties": {"$ref": {"type": "string"}, "a": {"properties": {"$ref": {"type": "integer"}}}}}
    return {
        "two references per level, 30 levels": (doubling_references(30, "string"), doubling_references(30, "integer")),
        "seven mutually recursive definitions": (recursive_properties(7, "string"), recursive_properties(7, "integer")),
        "the same through alternatives": (recursive_alternatives(7, "string"), recursive_alternatives(7, "integer")),
        "depth 5,000": (nested_items(5_000), nested_items(5_000)),
        "100,000 enum values": ({"enum": values}, {"enum": values[1:]}),
        "9,000 enum values": ({"enum": values[:9_000]}, {"enum": values[1:9_001]}),
        "a property named $ref": (ref_property, {"properties": {"$ref": {"type": "integer"}}}),
        "^(a+)+$": ({"enum": ["a" * 60 + "!", "a"]}, pattern),
        "^(a+)+$ against itself, longer": (pattern, {"type": "string", "pattern": "^(a+)+b?$"}),
    }


MIN_RUNS = 9
MIN_SECONDS = 1.0
"""Minimal total time of the runs of one comparison."""
RENAMED, RENAMED_MS = 1_000, 200
"""Columns that are all renamed, and the milliseconds until each change has its evidence."""


def main() -> int:
    tune_runtime()
    figures = [_figure(f"{size:,} properties", size / 20, wide_tables(size)) for size in (100, 1_000, 10_000)]
    figures.append(_figure(f"{RENAMED:,} renamed columns with evidence", RENAMED_MS, renamed_columns(), find_evidence))
    figures += [_figure(name, 50, pair) for name, pair in hostile_pairs().items()]
    old, new = wide_tables(1_000)
    output_size = len(json.dumps([change.as_json() for change in compare(old, new).changes]))
    ratio = output_size / len(json.dumps([old, new]))
    figures.append(Figure("output for 1,000 properties, against the input", [ratio], "x", at_most=5))
    return report("Diff", "CPU time of a comparison, the best of many runs.", figures)


def renamed_columns() -> tuple[Schema, Schema]:
    """Return two versions of a table without a common column."""
    old, new = ({f"{name}_{n}": _column(n) for n in range(RENAMED)} for name in ("column", "renamed"))
    return {"type": "object", "properties": old}, {"type": "object", "properties": new}


def compare_only(old: Any, new: Any) -> None:
    with suppress(SchemaError):
        compare(old, new)


def find_evidence(old: Any, new: Any) -> None:
    """Compare, and retrieve certainty, counterexample and hint of each change."""
    changes = [change.as_json() for change in compare(old, new).changes]
    assert len(changes) >= RENAMED, len(changes)


def _figure(name: str, target_ms: float, pair: tuple[Any, Any], work: Work = compare_only) -> Figure:
    seconds: list[float] = []
    while len(seconds) < MIN_RUNS or sum(seconds) < MIN_SECONDS:
        start = time.process_time()
        work(*pair)
        seconds.append(time.process_time() - start)
    return Figure(name, [min(seconds) * 1_000], "ms", at_most=target_ms)


if __name__ == "__main__":
    sys.exit(main())
