"""Convert the quality checks of a data contract (ODCS and the Data Contract Specification) to guarantees, and back.

A check that some table must pass completely becomes a guarantee of a known section. Any other one is a promise of the
section `quality`, without what doesn't change its meaning, such as its description.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tessera_gql.formats.contract_terms import ContractTerms, without
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson

_OPERATORS = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeGreaterThanOrEqualTo"),
    *("mustBeLessThan", "mustBeLessOrEqualTo", "mustBeLessThanOrEqualTo", "mustBeBetween", "mustNotBeBetween"),
)
_DESCRIPTIVE_KEYS = (
    *("id", "name", "description", "tags", "dimension", "method", "severity", "businessImpact", "scheduler"),
    *("schedule", "customProperties", "authoritativeDefinitions"),
)
_METRICS = {
    **dict.fromkeys(("nullValues", "nullCheck", "missingValues"), "nullValues"),
    **dict.fromkeys(("duplicateValues", "duplicateCount"), "duplicateValues"),
    **dict.fromkeys(("invalidValues", "validValues"), "invalidValues"),
    "rowCount": "rowCount",
}


def read_checks(owner: UntrustedJson, column: str | None, terms: ContractTerms) -> None:
    """Read the list `quality` of a table, or of one of its columns."""
    for check in owner.objects("quality"):
        if (check.text("type") or "library") == "text":
            terms.warnings.add("`quality` of type text can't be compared and was left out", column or owner.name)
        elif not _read_known_check(check, column, terms):
            metric = check.text("metric") or check.text("rule") or check.text("type") or "check"
            label = check.text("name") or check.text("id") or metric
            name = label if column is None else f"{column} {label}"
            terms.promise("quality", name, without(check.value, _DESCRIPTIVE_KEYS))


def _read_known_check(check: UntrustedJson, column: str | None, terms: ContractTerms) -> bool:
    """Return whether the check is a guarantee of a known section, and add it."""
    limits = {key: check.value[key] for key in _OPERATORS if check.value.get(key) is not None}
    arguments = check.object("arguments")
    metric = _METRICS.get(check.text("metric") or check.text("rule") or "")
    match metric, column:
        case "rowCount", None:
            volume = _read_volume(limits)
            for name, rows in (volume or {}).items():
                terms.promise("volume", name, rows)
            return volume is not None
        case "nullValues", str() if _is_zero(limits) and _counts_nulls_only(arguments):
            terms.promise("nullability", column, "never")
        case "duplicateValues", str() if _is_zero(limits):
            terms.promise_unique([column])
        case "duplicateValues", None if _is_zero(limits) and arguments.texts("properties"):
            terms.promise_unique(arguments.texts("properties"))
        case "invalidValues", str() if _is_zero(limits) and (values := _read_valid_values(check, arguments)):
            terms.promise("accepted_values", column, values)
        case _:
            return False
    return True


def _is_zero(limits: JsonObject) -> bool:
    """Whether no row may fail. A check without limits of version 3.0 means the same."""
    return not limits or limits in ({"mustBe": 0}, {"mustBeLessOrEqualTo": 0}, {"mustBeLessThanOrEqualTo": 0})


def _counts_nulls_only(arguments: UntrustedJson) -> bool:
    return all(value is None for value in arguments.list("missingValues"))


def _read_valid_values(check: UntrustedJson, arguments: UntrustedJson) -> list[Any] | None:
    if arguments.value.keys() - {"validValues"}:
        return None  # such as a pattern, which narrows the values further
    values = arguments.list("validValues") or check.list("validValues")
    scalars = [value for value in values if isinstance(value, str | int | float)]
    return scalars if values and len(scalars) == len(values) else None


def _read_volume(limits: JsonObject) -> JsonObject | None:
    """Return the minimum and maximum of rows; None if a limit means something else."""
    volume: JsonObject = {}
    for key, value in limits.items():
        match key, value:
            case "mustBeBetween", [int() | float() as minimum, int() | float() as maximum]:
                volume |= {"min_rows": minimum, "max_rows": maximum}
            case "mustBeGreaterOrEqualTo" | "mustBeGreaterThanOrEqualTo", int() | float():
                volume["min_rows"] = value
            case "mustBeLessOrEqualTo" | "mustBeLessThanOrEqualTo", int() | float():
                volume["max_rows"] = value
            case "mustBeGreaterThan", int():
                volume["min_rows"] = value + 1
            case "mustBeLessThan", int():
                volume["max_rows"] = value - 1
            case _:
                return None
    return volume or None


def render_column_checks(column: str, schema: JsonObject, guarantees: Mapping[str, Any]) -> list[JsonObject]:
    """Return the quality checks of ODCS for a column. `enum` is one, because ODCS v3.1 has no keyword for it."""
    checks: list[JsonObject] = []
    if _section(guarantees, "nullability").get(column) in {"never", "not_null"}:
        checks.append({"type": "library", "metric": "nullValues", "mustBe": 0})
    values = _section(guarantees, "accepted_values").get(column) or schema.get("enum")
    if isinstance(values, list) and (scalars := [value for value in values if value is not None]):
        checks.append(
            {"type": "library", "metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": scalars}}
        )
    return checks


def render_table_checks(guarantees: Mapping[str, Any]) -> list[JsonObject]:
    """Return the quality checks of ODCS for a table: its volume, keys of several columns, and its own checks."""
    checks = [_render_key(name) for name in _section(guarantees, "uniqueness") if ", " in name]
    volume = _section(guarantees, "volume")
    for name, operator in (("min_rows", "mustBeGreaterOrEqualTo"), ("max_rows", "mustBeLessOrEqualTo")):
        if isinstance(volume.get(name), int | float):
            checks.append({"type": "library", "metric": "rowCount", operator: volume[name]})
    return checks + list(_iterate_own_checks(guarantees))


def _render_key(name: str) -> JsonObject:
    columns = name.split(", ")
    return {"type": "library", "metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": columns}}


def _iterate_own_checks(guarantees: Mapping[str, Any]) -> Iterator[JsonObject]:
    for name, check in _section(guarantees, "quality").items():
        if isinstance(check, dict):
            yield {"name": name, **check}


def _section(guarantees: Mapping[str, Any], name: str) -> JsonObject:
    section = guarantees.get(name)
    return section if isinstance(section, dict) else {}
