"""What one dbt node says of its table, wherever its dbt version writes it: only fqns are lower-cased."""

import re
from collections.abc import Iterable
from unicodedata import normalize

from tessera_gql.formats.document import Document, JsonObject

KINDS = ("model", "snapshot", "source", "seed")
"""What a table may be, the more telling first: a seed only stands in for the source it is loaded as."""
_USUAL = re.compile(r"[\w$@#+* -]+")


def kind(node: Document) -> str:
    return node.text("resource_type") or ""


def fqn(node: Document) -> str | None:
    """The name of the table a node is; None for one that is no table, or cannot be named."""
    if kind(node) not in KINDS or node.object("config").text("materialized") == "ephemeral":
        return None
    name = node.text("alias") or node.text("identifier") or node.text("name")
    parts = [part for part in (node.text("database"), node.text("schema"), name) if part]
    if name is None or len(parts) < 2 or not all(part.isprintable() for part in parts):
        node.notes.add("These nodes have no name that a table could have and were left out", node.name)
        return None
    if len(parts) < 3:
        node.notes.add("These nodes name no database or no schema; their names are shorter", node.name)
    if not all(_USUAL.fullmatch(part) for part in parts):
        node.notes.add("The database, schema or table of these nodes has unusual characters in its name", node.name)
    return normalize("NFC", ".".join(parts)).lower()


def columns(nodes: Iterable[Document]) -> dict[str, Document]:
    """The declared columns by name; where several nodes declare one, the first node's."""
    declared: dict[str, Document] = {}
    for node in nodes:
        known = spelled(declared)
        for key, column in node.entries("columns"):
            name = column.text("name") or key
            if not name.isprintable():
                node.notes.add("These nodes have columns with unprintable names, which were left out", node.name)
            elif name.lower() not in known:
                declared[name] = Document(column.value, f"{node.name}.{name}", column.notes)
    return declared


def spelled(names: Iterable[str]) -> dict[str, str]:
    """Names by their lower-cased form."""
    return {name.lower(): name for name in names}


def tags(node: Document) -> tuple[str, ...]:
    return (*node.texts("tags"), *node.object("config").texts("tags"))


def meta(node: Document) -> JsonObject:
    return node.object("config").storable("meta") | node.storable("meta")


def owner(node: Document) -> str | None:
    """A team: from `meta.owner`, `meta.team` (its own, its config's, its source's), else the group's name."""
    for said in (node.object("meta"), node.object("config").object("meta"), node.object("source_meta")):
        for key in ("owner", "team"):
            if name := _first_name(said.value.get(key)):
                return name
    return node.text("group") or node.object("config").text("group")


def _first_name(said: object) -> str | None:
    """A team's name, written as text, as an object with a `name`, or as a list of these."""
    match said:
        case str(name) if name.isprintable():
            return name.strip() or None
        case {"name": str(name)} | {"team": str(name)} | [str(name), *_] | [{"name": str(name)}, *_] if (
            name.isprintable()
        ):
            return name.strip() or None
        case _:
            return None


def freshness(nodes: Iterable[Document]) -> JsonObject:
    """What a source's freshness block promises; one without a count promises nothing."""
    for node in nodes:
        for block in (node.object("freshness"), node.object("config").object("freshness")):
            said = {key: value for key in ("warn_after", "error_after") if (value := _age(block.object(key)))}
            if said and kind(node) == "source":
                condition = block.text("filter")
                return said | ({"filter": condition} if condition else {})
    return {}


def _age(block: Document) -> JsonObject | None:
    match block.value:
        case {"count": int(count), "period": str(period)}:
            return {"count": count, "period": period.lower()}
        case _:
            return None
