"""Convert dbt tests and constraints into guarantees.

A test with a `where`, `severity: warn` or a threshold proves less than its name says; it becomes a `custom` guarantee.

    {"nullability":     {column: "never"},
     "uniqueness":      {column or "column, column": "always"},
     "accepted_values": {column: [value, …]},              sorted; the intersection of all tests of the column
     "relationships":   {column: ["database.schema.name.column", …]},
     "volume":          {"min_rows": n, "max_rows": n},
     "freshness":       {"warn_after": {"count", "period"}, "error_after": …, "filter": …},    of sources
     "custom":          {test name: {"test", "column", "arguments", "where", "severity", …}}}
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TypeAlias

from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, is_storable

Scalar: TypeAlias = str | int | float | bool

_CALL_PATTERN = re.compile(r"\b(ref|source)\s*\(([^()]*)\)")
_ARGUMENT_PATTERN = re.compile(r"""(\w+\s*=\s*)?(?:["']([^"']*)["']|(\d+))""")
_MAX_CALL_LENGTH = 2_000
_NUMBER_PATTERN = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
_CONDITION_KEYS = ("where", "row_condition", "condition")
_DEFAULT_CONFIG = {"severity": "error", "error_if": "!=0", "fail_calc": "count(*)"}
_CANONICAL_KINDS = {
    "dbt_expectations.expect_column_values_to_not_be_null": "not_null",
    "dbt_expectations.expect_column_values_to_be_unique": "unique",
    "dbt_utils.unique_combination_of_columns": "unique_together",
    "dbt_expectations.expect_compound_columns_to_be_unique": "unique_together",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One test or constraint of one table."""

    kind: str
    """The dbt name of the test, such as `not_null`, `dbt_utils.expression_is_true` or `singular`."""
    name: str
    column: str | None = None
    arguments: JsonObject = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    """The referenced fqn and column of a relationship."""


@dataclass(frozen=True, slots=True)
class TableGuarantees:
    """The guarantees of one table. The first two fields name columns in lower case."""

    never_null: frozenset[str]
    accepted_values: Mapping[str, tuple[Scalar, ...]]
    guarantees: JsonObject


def checks_by_table(nodes: Mapping[str, UntrustedJson], fqns: Mapping[str, str]) -> dict[str, list[Check]]:
    """Return the enabled tests by the `unique_id` of their table, ordered by the `unique_id` of the test."""
    checks: dict[str, list[Check]] = defaultdict(list)
    find_readers = _EphemeralReaders(nodes, fqns)
    for unique_id in sorted(nodes):
        node = nodes[unique_id]
        if node.value.get("resource_type") != "test":
            continue
        tested_ids = _find_tested_tables(node, nodes)
        check = _read_check(node, nodes, fqns)
        for tested_id in tested_ids:
            if nodes[tested_id].object("config").text("materialized") != "ephemeral":
                checks[tested_id].append(check)
                continue
            node.warnings.add("Tests of these ephemeral models became custom guarantees of their readers", tested_id)
            for reader in find_readers(tested_id):
                # Its readers may filter or join the rows, so the test proves less about their tables.
                checks[reader].append(replace(check, limits={**check.limits, "ephemeral_model": tested_id}))
        if not tested_ids:
            node.warnings.add("These tests name no table of this manifest and were left out", unique_id)
    return checks


class _EphemeralReaders:
    """Finds the tables that read an ephemeral model, directly or through other ephemeral models."""

    def __init__(self, nodes: Mapping[str, UntrustedJson], fqns: Mapping[str, str]) -> None:
        self._nodes = nodes
        self._fqns = fqns

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = defaultdict(list)
        for unique_id in sorted(self._nodes):
            if self._nodes[unique_id].value.get("resource_type") != "test":
                for parent in self._nodes[unique_id].object("depends_on").texts("nodes"):
                    children[parent].append(unique_id)
        return children

    def __call__(self, unique_id: str) -> list[str]:
        waiting, readers = [unique_id], dict[str, None]()
        visited: set[str] = set()
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child in self._fqns:
                    readers[child] = None
                elif child not in visited:
                    visited.add(child)
                    waiting.append(child)
        return sorted(readers)


def constraint_checks(owner: UntrustedJson, *columns: str) -> Iterator[Check]:
    """Return the constraints of a table or of one column. A primary key means never null and unique."""
    for constraint in owner.objects("constraints"):
        yield from _read_constraint(constraint, columns or constraint.texts("columns"))


def derive_guarantees(
    checks: Iterable[Check], freshness: JsonObject, columns_by_key: Mapping[str, str]
) -> TableGuarantees:
    """Derive the guarantees of a table, keyed by column as declared. `columns_by_key` has lower-cased keys."""
    collector = _GuaranteeCollector(columns_by_key)
    for check in checks:
        collector.add(check)
    accepted = {column: values for column, values in collector.accepted_values.items() if values}
    guarantees: JsonObject = {
        "nullability": {collector.declared_name(column): "never" for column in collector.never_null},
        "uniqueness": dict.fromkeys(collector.unique, "always"),
        "accepted_values": {collector.declared_name(column): list(values) for column, values in accepted.items()},
        "relationships": {column: sorted(targets) for column, targets in collector.relationships.items()},
        "volume": collector.volume,
        "freshness": freshness,
        "custom": collector.custom,
    }
    sections = {section: dict(sorted(value.items())) for section, value in guarantees.items() if value}
    return TableGuarantees(frozenset(collector.never_null), accepted, sections)


class _GuaranteeCollector:
    """Collects the guarantees of one table, check by check."""

    def __init__(self, columns_by_key: Mapping[str, str]) -> None:
        self._columns_by_key = columns_by_key
        self.never_null: set[str] = set()
        self.unique: set[str] = set()
        self.accepted_values: dict[str, tuple[Scalar, ...]] = {}
        self.relationships: dict[str, set[str]] = defaultdict(set)
        self.volume: dict[str, int] = {}
        self.custom: JsonObject = {}

    def declared_name(self, column: str) -> str:
        return self._columns_by_key.get(column.lower(), column)

    def add(self, check: Check) -> None:
        """Add a check to the guarantee that it proves in full, else to `custom`."""
        kind = _CANONICAL_KINDS.get(check.kind, check.kind)
        if check.limits or not (self._add_to_column(kind, check) or self._add_to_table(kind, check)):
            name = check.name if check.name not in self.custom else f"{check.name} ({len(self.custom)})"
            self.custom[name] = _to_custom_entry(check)

    def _add_to_column(self, kind: str, check: Check) -> bool:
        match kind, check.column:
            case "not_null", str(column):
                self.never_null.add(column.lower())
            case "unique", str(column):
                self.unique.add(self.declared_name(column))
            case "relationships", str(column) if check.target:
                self.relationships[self.declared_name(column)].add(check.target)
            case "accepted_values", str(column) if values := _read_accepted_values(check.arguments):
                previous_values = self.accepted_values.get(column.lower(), values)
                self.accepted_values[column.lower()] = tuple(value for value in previous_values if value in values)
            case _:
                return False
        return True

    def _add_to_table(self, kind: str, check: Check) -> bool:
        match kind, check.arguments:
            case "unique_together", {"combination_of_columns": [_, *_] as columns} | {
                "column_list": [_, *_] as columns
            }:
                self.unique.add(", ".join(sorted(self.declared_name(_strip_quotes(str(column))) for column in columns)))
            case "dbt_expectations.expect_table_row_count_to_equal", {"value": int(rows)}:
                self.volume |= {"min_rows": rows, "max_rows": rows}
            case "dbt_expectations.expect_table_row_count_to_be_between", arguments if not arguments.get("group_by"):
                bounds = {"min_rows": arguments.get("min_value"), "max_rows": arguments.get("max_value")}
                self.volume |= {bound: rows for bound, rows in bounds.items() if isinstance(rows, int)}
                return any(isinstance(rows, int) for rows in bounds.values())
            case _:
                return False
        return True


def _to_custom_entry(check: Check) -> JsonObject:
    entry = {"test": check.kind, "column": check.column, "arguments": check.arguments, **check.limits}
    return {key: value for key, value in entry.items() if value}


def _read_accepted_values(arguments: JsonObject) -> tuple[Scalar, ...]:
    """Return the values as SQL compares them, or none if one is an expression. dbt quotes all unless `quote: false`."""
    values, is_quoted = arguments.get("values"), arguments.get("quote") is not False
    scalars = [_to_scalar(value, is_quoted=is_quoted) for value in values] if isinstance(values, list) else []
    distinct = {(type(value).__name__, value): value for value in scalars if value is not None}
    return tuple(distinct[key] for key in sorted(distinct)) if None not in scalars else ()


def _to_scalar(value: object, *, is_quoted: bool) -> Scalar | None:
    match value:
        case str(text) if is_quoted and "\0" not in text:
            return text
        case bool() | int() | float():
            return str(value) if is_quoted else value
        case str(text) if not is_quoted and (number := parse_number(text)) is not None:
            return number
        case str(text) if not is_quoted and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case _:
            return None


def parse_number(text: str) -> int | float | None:
    if not _NUMBER_PATTERN.fullmatch(text.strip()):
        return None
    return float(text) if "." in text else int(text)


def _find_tested_tables(node: UntrustedJson, nodes: Mapping[str, UntrustedJson]) -> tuple[str, ...]:
    """Return the tables of a test: the attached one, the one that `model` names, or all that a singular test reads."""
    attached_id = node.text("attached_node")
    if attached_id is not None and attached_id in nodes:
        return (attached_id,)
    upstream_ids = [unique_id for unique_id in node.object("depends_on").texts("nodes") if unique_id in nodes]
    model = node.object("test_metadata").object("kwargs").value.get("model")
    named_id = _resolve_call(model, upstream_ids, nodes)
    if named_id is not None:
        return (named_id,)
    return tuple(dict.fromkeys(upstream_ids)) if len(upstream_ids) == 1 or not node.value.get("test_metadata") else ()


def _resolve_call(call: object, candidates: Iterable[str], nodes: Mapping[str, UntrustedJson]) -> str | None:
    """Return the candidate that the last `ref('orders', v=2)` or `source('shop', 'orders')` in a text names."""
    calls = _CALL_PATTERN.findall(call[:_MAX_CALL_LENGTH]) if isinstance(call, str) else []
    if not calls:
        return None
    kind, arguments = calls[-1]
    names = [text for keyword, text, _ in _ARGUMENT_PATTERN.findall(arguments) if not keyword]
    versions = [text or number for keyword, text, number in _ARGUMENT_PATTERN.findall(arguments) if keyword]
    for unique_id in candidates:
        node = nodes[unique_id].value
        namespace = node.get("source_name") if kind == "source" else node.get("package_name")
        is_match = names[-1:] == [node.get("name")] and (len(names) == 1 or names[0] == namespace)
        if is_match and (not versions or versions == [nodes[unique_id].label("version")]):
            return unique_id
    return None


def _read_check(node: UntrustedJson, nodes: Mapping[str, UntrustedJson], fqns: Mapping[str, str]) -> Check:
    metadata = node.object("test_metadata")
    name = node.text("name") or node.name
    kind, namespace = metadata.text("name"), metadata.text("namespace")
    if kind is None:
        return Check("singular", name, arguments={"sql_sha256": _hash_sql(node)}, limits=_read_limits(node, {}))
    arguments = metadata.object("kwargs").value
    arguments = {**arguments, **metadata.object("kwargs").object("arguments").value}
    column = node.text("column_name") or arguments.get("column_name")
    settings = {key: value for key, value in arguments.items() if key not in {"model", "column_name", "arguments"}}
    if not is_storable(settings):
        node.warnings.add("The arguments of these tests are nested too deep or hold a NUL and were left out", node.name)
        settings = {}
    return Check(
        kind if namespace in {None, "dbt"} else f"{namespace}.{kind}",
        name,
        _strip_quotes(column) if isinstance(column, str) and "\0" not in column else None,
        settings,
        _read_limits(node, settings),
        _resolve_target(settings, node, nodes, fqns) if kind == "relationships" else None,
    )


def _read_limits(node: UntrustedJson, arguments: JsonObject) -> dict[str, str]:
    """Return the settings because of which a passing test proves less than its name says; empty for most tests."""
    config = node.object("config")
    limits = {
        key: text
        for key, default in _DEFAULT_CONFIG.items()
        if (text := config.text(key)) and text.lower().replace(" ", "") != default
    }
    conditions = [config.text(key) for key in _CONDITION_KEYS]
    conditions += [text for key in _CONDITION_KEYS if isinstance(text := arguments.get(key), str)]
    condition = " and ".join(text for text in conditions if text)
    return limits | ({"where": condition} if condition else {})


def _resolve_target(
    arguments: JsonObject, node: UntrustedJson, nodes: Mapping[str, UntrustedJson], fqns: Mapping[str, str]
) -> str | None:
    table_call, column = arguments.get("to"), arguments.get("field")
    if not isinstance(table_call, str) or not isinstance(column, str):
        return None
    upstream_ids = [unique_id for unique_id in node.object("depends_on").texts("nodes") if unique_id in nodes]
    return f"{fqns.get(_resolve_call(table_call, upstream_ids, nodes) or '', table_call)}.{_strip_quotes(column)}"


def _read_constraint(constraint: UntrustedJson, columns: tuple[str, ...]) -> Iterator[Check]:
    kind, expression = constraint.text("type"), constraint.text("expression")
    name = constraint.text("name") or f"{kind} {expression or ', '.join(sorted(columns))}"
    columns = tuple(_strip_quotes(column) for column in columns)
    if kind in {"not_null", "primary_key"}:
        yield from (Check("not_null", name, column) for column in columns)
    if kind in {"unique", "primary_key"} and columns:
        yield Check("unique_together", name, arguments={"column_list": list(columns)})
    if kind not in {None, "not_null", "unique", "primary_key"}:
        details = {key: constraint.value.get(key) for key in ("expression", "to", "to_columns")}
        check_arguments = {key: value for key, value in details.items() if value and is_storable(value)}
        check_arguments |= {"columns": list(columns)} if columns else {}
        yield Check(f"{kind} constraint", name, arguments=check_arguments)


def _hash_sql(node: UntrustedJson) -> str:
    sql = node.value.get("raw_code") or node.value.get("raw_sql")
    return sha256(" ".join(sql.split()).encode(errors="replace") if isinstance(sql, str) else b"").hexdigest()[:16]


def _strip_quotes(column: str) -> str:
    return column.strip().strip('"`[]') or column
