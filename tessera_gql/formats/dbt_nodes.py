"""Read the attributes of a table from its dbt node, across dbt versions. Only fqns are lower-cased."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from unicodedata import normalize

from tessera_gql.diff import Mode
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson

RESOURCE_TYPES = ("model", "snapshot", "source", "seed")
"""The resource types of tables; the first describes a table best, if several nodes describe it."""
_USUAL_NAME = re.compile(r"[\w$@#+* -]+")


def resource_type(node: UntrustedJson) -> str:
    return node.text("resource_type") or ""


def fqn(node: UntrustedJson) -> str | None:
    """Return the fqn of the node's table; None if the node is no table, or has no usable name."""
    if resource_type(node) not in RESOURCE_TYPES or node.object("config").text("materialized") == "ephemeral":
        return None
    name = node.text("alias") or node.text("identifier") or node.text("name")
    parts = [part for part in (node.text("database"), node.text("schema"), name) if part]
    if name is None or len(parts) < 2 or not all(part.isprintable() for part in parts):
        node.warnings.add("These nodes have no name that a table could have and were left out", node.name)
        return None
    if len(parts) < 3:
        node.warnings.add("These nodes name no database or no schema; their names are shorter", node.name)
    if not all(_USUAL_NAME.fullmatch(part) for part in parts):
        node.warnings.add("The database, schema or table of these nodes has unusual characters in its name", node.name)
    return normalize("NFC", ".".join(parts)).lower()


def describe_absent(root: UntrustedJson, enabled: Container[str]) -> Iterator[tuple[str, str]]:
    """Describe why nodes build no table, by their `unique_id`."""
    disabled = root.value.get("disabled")  # a list in old schema versions
    for unique_id in disabled if isinstance(disabled, dict) else ():
        if unique_id not in enabled:
            yield unique_id, "is disabled"
    for unique_id, node in root.entries("nodes"):
        if node.object("config").flag("enabled") is False:
            yield unique_id, "is disabled"
        elif node.object("config").text("materialized") == "ephemeral":
            yield unique_id, "is ephemeral now"


def columns(nodes: Iterable[UntrustedJson]) -> dict[str, UntrustedJson]:
    """Return the declared columns by name; the first node that declares a column wins."""
    columns_by_name: dict[str, UntrustedJson] = {}
    for node in nodes:
        known_names = by_lower_case(columns_by_name)
        for key, column in node.entries("columns"):
            name = column.text("name") or key
            if not name.isprintable():
                node.warnings.add("These nodes have columns with unprintable names, which were left out", node.name)
            elif name.lower() not in known_names:
                columns_by_name[name] = UntrustedJson(column.value, f"{node.name}.{name}", column.warnings)
    return columns_by_name


def by_lower_case(names: Iterable[str]) -> dict[str, str]:
    """Map the lower-cased names to the names as declared."""
    return {name.lower(): name for name in names}


def tags(node: UntrustedJson) -> tuple[str, ...]:
    return (*node.texts("tags"), *node.object("config").texts("tags"))


def labels(node: UntrustedJson) -> tuple[str, ...]:
    """Return the labels that `meta.tessera.labels` lists beside the tags."""
    return UntrustedJson(meta(node), node.name, node.warnings).object("tessera").texts("labels")


def meta(node: UntrustedJson) -> JsonObject:
    return node.object("config").storable("meta") | node.storable("meta")


def owner(node: UntrustedJson) -> str | None:
    """Return the owner team from `meta.owner` or `meta.team` of the node, its config or its source, else the group."""
    for section in (node.object("meta"), node.object("config").object("meta"), node.object("source_meta")):
        for key in ("owner", "team"):
            if name := _first_name(section.value.get(key)):
                return name
    return group(node)


def group(node: UntrustedJson) -> str | None:
    return node.text("group") or node.object("config").text("group")


def access(node: UntrustedJson) -> str | None:
    """Return who may read the model within dbt: private, protected or public. None before dbt 1.5."""
    return node.text("access") or node.object("config").text("access")


def is_contract_enforced(node: UntrustedJson) -> bool:
    blocks = (node.object("contract"), node.object("config").object("contract"))
    return any(block.flag("enforced") for block in blocks)


def compatibility_mode(node: UntrustedJson) -> Mode | None:
    """Return the mode that `meta.compatibility_mode` names, in any case; None if there is none."""
    text = UntrustedJson(meta(node), node.name, node.warnings).text("compatibility_mode")
    if text is None:
        return None
    try:
        return Mode(text.strip().upper())
    except ValueError:
        problem = f"`meta.compatibility_mode` is none of {', '.join(Mode)} and was ignored"
        node.warnings.add(problem, node.name)
        return None


def tier(node: UntrustedJson) -> str | None:
    """Return the tier that `meta.tier` names, in upper case; None if there is none."""
    text = UntrustedJson(meta(node), node.name, node.warnings).text("tier")
    return (text.strip().upper() or None) if text is not None else None


def deprecations(node: UntrustedJson, columns: Mapping[str, UntrustedJson]) -> dict[str, dict[str, str | None]]:
    """Return what goes away by column, the whole table under an empty name: its date and its replacement.

    The date of a table is dbt's `deprecation_date`. That of a column is in its meta, as is `replacement`; `deprecated`
    is enough there if no date is known.
    """
    deprecated: dict[str, dict[str, str | None]] = {}
    if sunset := node.text("deprecation_date"):
        own = UntrustedJson(meta(node), node.name, node.warnings)
        deprecated[""] = {"sunset": sunset, "replacement": own.text("replacement")}
    for name, column in columns.items():
        if not (column_meta := meta(column)):
            continue
        own = UntrustedJson(column_meta, column.name, column.warnings)
        sunset = own.text("deprecation_date")
        if sunset or own.flag("deprecated"):
            deprecated[name] = {"sunset": sunset, "replacement": own.text("replacement")}
    return deprecated


def _first_name(value: object) -> str | None:
    """Return a team name that is written as text, as an object with a `name`, or as a list of these."""
    match value:
        case str(name) | {"name": str(name)} | {"team": str(name)} | [str(name), *_] | [{"name": str(name)}, *_]:
            return (name.strip() or None) if name.isprintable() else None
        case _:
            return None


def freshness(nodes: Iterable[UntrustedJson]) -> JsonObject:
    """Return the freshness guarantee of a source. A period without a count is ignored."""
    for node in nodes:
        for block in (node.object("freshness"), node.object("config").object("freshness")):
            names = ("warn_after", "error_after")
            periods = {name: period for name in names if (period := _read_period(block.object(name)))}
            if periods and resource_type(node) == "source":
                condition = block.text("filter")
                return periods | ({"filter": condition} if condition else {})
    return {}


def _read_period(block: UntrustedJson) -> JsonObject | None:
    match block.value:
        case {"count": int(count), "period": str(period)}:
            return {"count": count, "period": period.lower()}
        case _:
            return None
