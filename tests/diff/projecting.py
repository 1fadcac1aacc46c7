"""An independent projection of documents onto the names that a schema mentions, for schemas of the generators."""

from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from tests.diff.oracle import asks_itself, schemas_around

ASKED_OF_WHOLE_VALUES = ("minProperties", "uniqueItems", "enum", "const")
Wholes = dict[int, Any]


def accepts_visible(schema: Any, document: Any) -> bool | None:
    """Whether a schema accepts what its readers see of a document; None if it applies itself to the same value.

    Some keywords are asked of whole values: how many properties there are at least, what is listed, what is equal.
    """
    if asks_itself(schema):
        return None
    wholes: Wholes = {}
    visible = _project(wholes, schema, [schema], document)
    checks = {keyword: _on_whole(Draft202012Validator.VALIDATORS[keyword], wholes) for keyword in ASKED_OF_WHOLE_VALUES}
    return extend(Draft202012Validator, checks)(schema, registry=Registry()).is_valid(visible)


def _on_whole(check: Callable[..., Any], wholes: Wholes) -> Callable[..., Iterator[ValidationError]]:
    def check_whole(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        yield from check(validator, value, wholes.get(id(instance), instance), schema) or ()

    return check_whole


def _project(wholes: Wholes, root: Any, schemas: list[Any], document: Any) -> Any:
    """What a reader of the schemas sees of a document: of every object only the names that they mention."""
    if isinstance(document, list | dict):
        visible = _project_container(wholes, root, schemas, document)
        wholes[id(visible)] = document
        return visible
    return document


def _project_container(wholes: Wholes, root: Any, schemas: list[Any], document: Any) -> Any:
    around = [part for schema in schemas for part in schemas_around(root, schema, "not")]
    if isinstance(document, list):
        items = [item for part in around for item in _items(part)]
        return [_project(wholes, root, items, item) for item in document]
    names = {name for part in around for name in _mentioned(part)}
    reads_all = any(isinstance(part.get("additionalProperties"), dict) for part in around)
    reads_all = reads_all or any(part.get("patternProperties") for part in around)
    return {
        name: _project(wholes, root, [inside for part in around for inside in _values(part, name)], value)
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
