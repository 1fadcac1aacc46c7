"""dbt's tests and constraints as guarantees: one that proves less than its name is never taken for the whole.

A `where`, `severity: warn` or a threshold makes it so; it is kept under `custom`, with these limits.

    {"nullability":     {column: "never"},
     "uniqueness":      {column or "column, column": "always"},
     "accepted_values": {column: [value, …]},              sorted; several tests leave what all of them accept
     "relationships":   {column: ["database.schema.name.column", …]},
     "volume":          {"min_rows": n, "max_rows": n},
     "freshness":       {"warn_after": {"count", "period"}, "error_after": …, "filter": …},    of sources
     "custom":          {test name: {"test", "column", "arguments", "where", "severity", …}}}
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeAlias

from tessera_gql.formats.document import Document, JsonObject, is_storable

Literal: TypeAlias = str | int | float | bool

_CALL = re.compile(r"\b(ref|source)\s*\(([^()]*)\)")
_QUOTED = re.compile(r"""(\w+\s*=\s*)?(?:["']([^"']*)["']|(\d+))""")
_LONGEST_CALL = 2_000
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
_CONDITIONS = ("where", "row_condition", "condition")
_FULL = {"severity": "error", "error_if": "!=0", "fail_calc": "count(*)"}
_SAME_AS = {
    "dbt_expectations.expect_column_values_to_not_be_null": "not_null",
    "dbt_expectations.expect_column_values_to_be_unique": "unique",
    "dbt_utils.unique_combination_of_columns": "unique_together",
    "dbt_expectations.expect_compound_columns_to_be_unique": "unique_together",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One test or constraint of one table."""

    kind: str
    """`not_null`, `dbt_utils.expression_is_true`, `singular` …"""
    name: str
    column: str | None = None
    arguments: JsonObject = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    """What a relationship points to: fqn and column."""


@dataclass(frozen=True, slots=True)
class Promises:
    """What a table's checks promise; columns lower-cased, to be met by any spelling."""

    never_null: frozenset[str]
    accepted: Mapping[str, tuple[Literal, ...]]
    guarantees: JsonObject


def by_table(nodes: Mapping[str, Document], fqns: Mapping[str, str]) -> dict[str, list[Check]]:
    """The enabled tests of every table, keyed by the table's unique_id, ordered by the test's."""
    found: dict[str, list[Check]] = defaultdict(list)
    for unique_id in sorted(nodes):
        node = nodes[unique_id]
        if node.value.get("resource_type") == "test":
            tables = _tested(node, nodes)
            for table in tables:
                found[table].append(_check(node, nodes, fqns))
            if not tables:
                node.notes.add("These tests name no table of this manifest and were left out", unique_id)
    return found


def constraints(owner: Document, *columns: str) -> Iterator[Check]:
    """The constraints on a table, or on its one column named; a primary key means never null and unique."""
    for constraint in owner.objects("constraints"):
        yield from _constraint(constraint, columns or constraint.texts("columns"))


def promises(checks: Iterable[Check], freshness: JsonObject, spelled: Mapping[str, str]) -> Promises:
    """`spelled`: the declared columns by lower-cased name; guarantees are keyed by the declared spelling."""
    kept = _Guarantees(spelled)
    for check in checks:
        kept.add(check)
    accepted = {column: values for column, values in kept.accepted.items() if values}
    guarantees: JsonObject = {
        "nullability": {kept.name(column): "never" for column in kept.never_null},
        "uniqueness": dict.fromkeys(kept.unique, "always"),
        "accepted_values": {kept.name(column): list(values) for column, values in accepted.items()},
        "relationships": {column: sorted(targets) for column, targets in kept.relationships.items()},
        "volume": kept.volume,
        "freshness": freshness,
        "custom": kept.custom,
    }
    said = {section: dict(sorted(value.items())) for section, value in guarantees.items() if value}
    return Promises(frozenset(kept.never_null), accepted, said)


class _Guarantees:
    def __init__(self, spelled: Mapping[str, str]) -> None:
        self._spelled = spelled
        self.never_null: set[str] = set()
        self.unique: set[str] = set()
        self.accepted: dict[str, tuple[Literal, ...]] = {}
        self.relationships: dict[str, set[str]] = defaultdict(set)
        self.volume: dict[str, int] = {}
        self.custom: JsonObject = {}

    def name(self, column: str) -> str:
        return self._spelled.get(column.lower(), column)

    def add(self, check: Check) -> None:
        """Under the promise it proves; under `custom` when it proves less, or something of its own."""
        kind = _SAME_AS.get(check.kind, check.kind)
        if check.limits or not (self._on_column(kind, check) or self._on_table(kind, check)):
            name = check.name if check.name not in self.custom else f"{check.name} ({len(self.custom)})"
            self.custom[name] = _described(check)

    def _on_column(self, kind: str, check: Check) -> bool:
        match kind, check.column:
            case "not_null", str(column):
                self.never_null.add(column.lower())
            case "unique", str(column):
                self.unique.add(self.name(column))
            case "relationships", str(column) if check.target:
                self.relationships[self.name(column)].add(check.target)
            case "accepted_values", str(column) if values := _accepted(check.arguments):
                before = self.accepted.get(column.lower(), values)
                self.accepted[column.lower()] = tuple(value for value in before if value in values)
            case _:
                return False
        return True

    def _on_table(self, kind: str, check: Check) -> bool:
        match kind, check.arguments:
            case "unique_together", {"combination_of_columns": [_, *_] as columns} | {
                "column_list": [_, *_] as columns
            }:
                self.unique.add(", ".join(sorted(self.name(_bare(str(column))) for column in columns)))
            case "dbt_expectations.expect_table_row_count_to_equal", {"value": int(rows)}:
                self.volume |= {"min_rows": rows, "max_rows": rows}
            case "dbt_expectations.expect_table_row_count_to_be_between", arguments if not arguments.get("group_by"):
                bounds = {"min_rows": arguments.get("min_value"), "max_rows": arguments.get("max_value")}
                self.volume |= {bound: rows for bound, rows in bounds.items() if isinstance(rows, int)}
                return any(isinstance(rows, int) for rows in bounds.values())
            case _:
                return False
        return True


def _described(check: Check) -> JsonObject:
    described = {"test": check.kind, "column": check.column, "arguments": check.arguments, **check.limits}
    return {key: value for key, value in described.items() if value}


def _accepted(arguments: JsonObject) -> tuple[Literal, ...]:
    """The values as SQL compares them: dbt quotes all unless `quote: false`; none if one is an expression."""
    values = arguments.get("values")
    read = [_literal(value, is_quoted=arguments.get("quote") is not False) for value in _as_list(values)]
    distinct = {(type(value).__name__, value): value for value in read if value is not None}
    return tuple(distinct[key] for key in sorted(distinct)) if None not in read else ()


def _literal(value: object, *, is_quoted: bool) -> Literal | None:
    match value:
        case str(text) if is_quoted and "\0" not in text:
            return text
        case bool() | int() | float():
            return str(value) if is_quoted else value
        case str(text) if not is_quoted and (number := as_number(text)) is not None:
            return number
        case str(text) if not is_quoted and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case _:
            return None


def as_number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text.strip()):
        return None
    return float(text) if "." in text else int(text)


def _tested(node: Document, nodes: Mapping[str, Document]) -> tuple[str, ...]:
    """The tables a test is about: the attached one, the one its `model` names, all a singular one reads."""
    attached = node.text("attached_node")
    if attached is not None and attached in nodes:
        return (attached,)
    read = [unique_id for unique_id in node.object("depends_on").texts("nodes") if unique_id in nodes]
    model = node.object("test_metadata").object("kwargs").value.get("model")
    named = _referred(model, read, nodes)
    if named is not None:
        return (named,)
    return tuple(dict.fromkeys(read)) if len(read) == 1 or not node.value.get("test_metadata") else ()


def _referred(call: object, candidates: Iterable[str], nodes: Mapping[str, Document]) -> str | None:
    """The candidate that `ref('orders', v=2)` or `source('shop', 'orders')` names, somewhere in a text."""
    calls = _CALL.findall(call[:_LONGEST_CALL]) if isinstance(call, str) else []
    if not calls:
        return None
    kind, arguments = calls[-1]
    words = [text for keyword, text, _ in _QUOTED.findall(arguments) if not keyword]
    versions = [text or number for keyword, text, number in _QUOTED.findall(arguments) if keyword]
    for unique_id in candidates:
        node = nodes[unique_id].value
        owner = node.get("source_name") if kind == "source" else node.get("package_name")
        is_named = words[-1:] == [node.get("name")] and (len(words) == 1 or words[0] == owner)
        if is_named and (not versions or versions == [nodes[unique_id].label("version")]):
            return unique_id
    return None


def _check(node: Document, nodes: Mapping[str, Document], fqns: Mapping[str, str]) -> Check:
    metadata = node.object("test_metadata")
    name = node.text("name") or node.name
    kind, namespace = metadata.text("name"), metadata.text("namespace")
    if kind is None:
        return Check("singular", name, arguments={"sql_sha256": _fingerprint(node)}, limits=_limits(node, {}))
    arguments = metadata.object("kwargs").value
    arguments = {**arguments, **metadata.object("kwargs").object("arguments").value}
    column = node.text("column_name") or arguments.get("column_name")
    own = {key: value for key, value in arguments.items() if key not in {"model", "column_name", "arguments"}}
    if not is_storable(own):
        node.notes.add("The arguments of these tests are nested too deep or hold a NUL and were left out", node.name)
        own = {}
    return Check(
        kind if namespace in {None, "dbt"} else f"{namespace}.{kind}",
        name,
        _bare(column) if isinstance(column, str) and "\0" not in column else None,
        own,
        _limits(node, own),
        _target(own, node, nodes, fqns) if kind == "relationships" else None,
    )


def _limits(node: Document, arguments: JsonObject) -> dict[str, str]:
    """Why a passing test proves less than its name: empty for most."""
    config = node.object("config")
    limits = {key: config.text(key) for key in _FULL}
    said = {key: text for key, text in limits.items() if text and text.lower().replace(" ", "") != _FULL[key]}
    conditions = [config.text(key) for key in _CONDITIONS]
    conditions += [text for key in _CONDITIONS if isinstance(text := arguments.get(key), str)]
    where = " and ".join(text for text in conditions if text)
    return said | ({"where": where} if where else {})


def _target(
    arguments: JsonObject, node: Document, nodes: Mapping[str, Document], fqns: Mapping[str, str]
) -> str | None:
    to, column = arguments.get("to"), arguments.get("field")
    if not isinstance(to, str) or not isinstance(column, str):
        return None
    read = [unique_id for unique_id in node.object("depends_on").texts("nodes") if unique_id in nodes]
    return f"{fqns.get(_referred(to, read, nodes) or '', to)}.{_bare(column)}"


def _constraint(constraint: Document, columns: tuple[str, ...]) -> Iterator[Check]:
    kind, expression = constraint.text("type"), constraint.text("expression")
    name = constraint.text("name") or f"{kind} {expression or ', '.join(sorted(columns))}"
    columns = tuple(_bare(column) for column in columns)
    if kind in {"not_null", "primary_key"}:
        yield from (Check("not_null", name, column) for column in columns)
    if kind in {"unique", "primary_key"} and columns:
        yield Check("unique_together", name, arguments={"column_list": list(columns)})
    if kind not in {None, "not_null", "unique", "primary_key"}:
        said = {key: constraint.value.get(key) for key in ("expression", "to", "to_columns")}
        kept = {key: value for key, value in said.items() if value and is_storable(value)}
        kept |= {"columns": list(columns)} if columns else {}
        yield Check(f"{kind} constraint", name, arguments=kept)


def _fingerprint(node: Document) -> str:
    sql = node.value.get("raw_code") or node.value.get("raw_sql")
    return sha256(" ".join(sql.split()).encode(errors="replace") if isinstance(sql, str) else b"").hexdigest()[:16]


def _bare(column: str) -> str:
    return column.strip().strip('"`[]') or column


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
