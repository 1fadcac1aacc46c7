"""An independent projection of documents onto the names that a schema mentions, for schemas of the generators."""

from typing import Any

from tests.diff.oracle import schemas_around


def project(root: Any, schemas: list[Any], document: Any) -> Any:
    """What a reader of the schemas sees of a document: of every object only the names that they mention."""
    around = [part for schema in schemas for part in schemas_around(root, schema, "not")]
    if isinstance(document, list):
        items = [item for part in around for item in _items(part)]
        return [project(root, items, item) for item in document]
    if not isinstance(document, dict):
        return document
    names = {name for part in around for name in _mentioned(part)}
    reads_all = any(isinstance(part.get("additionalProperties"), dict) for part in around)
    reads_all = reads_all or any(part.get("patternProperties") for part in around)
    return {
        name: project(root, [inside for part in around for inside in _values(part, name)], value)
        for name, value in document.items()
        if reads_all or name in names
    }


def _mentioned(part: dict[str, Any]) -> set[str]:
    names = {*part.get("properties", {}), *part.get("required", []), *part.get("dependentSchemas", {})}
    return names.union(*((name, *names) for name, names in part.get("dependentRequired", {}).items()))


def _values(part: dict[str, Any], name: str) -> list[Any]:
    declared = [part["properties"][name]] if name in part.get("properties", {}) else []
    return [*declared, *part.get("patternProperties", {}).values(), part.get("additionalProperties", True)]


def _items(part: dict[str, Any]) -> list[Any]:
    return [*part.get("prefixItems", []), part.get("items", True), part.get("contains", True)]
