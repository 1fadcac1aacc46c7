"""Validate documents with `jsonschema`, as a second opinion on counterexamples. No other module imports the library.

Schemas come from clients. Patterns are therefore matched by RE2, in time linear in the text, and the number of keywords
that one validation applies is bounded: nested references can make it exponential.
"""

import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cached_property, lru_cache
from typing import Any, cast

import re2
from jsonschema import validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from tessera_gql.diff.read.dialects import MIXED
from tessera_gql.diff.read.in_place import has_cycle
from tessera_gql.diff.read.meta_schemas import META_SCHEMAS
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import Json

MAX_KEYWORDS = 20_000
"""Keywords that one validation may apply; about 0.2 seconds."""
STEPS_PER_KEYWORD = 50
MAX_PATTERN_BYTES = 1_000_000
"""Memory that one compiled pattern may take."""
CACHED_PATTERNS = 128
DATA_KEYWORDS = frozenset({"enum", "const", "default", "examples"})
SCHEMA_MAPS = frozenset(key for key, shape in MIXED.shapes.items() if shape in ("map", "pattern map", "dependencies"))
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
EVALUATING = frozenset(("additionalProperties", "patternProperties"))
Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Errors | None]


class ValidationUndecided(Exception):  # noqa: N818 - not an error of the document
    """Raised when a pattern is not supported by RE2 or a validation exceeds its limit of keywords."""


class ReferenceValidator:
    """A `jsonschema` validator of one schema. The older keywords of the dialect `MIXED` are rewritten."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.document = root.document

    @cached_property
    def validator(self) -> Validator:
        raw = self.document.raw
        schema = cast("dict[str, Any] | bool", _to_2020(raw) if self.document.dialect is MIXED else raw)
        return cast("Validator", _validator_class(self.document.dialect.uri)(schema, registry=META_SCHEMAS))

    @cached_property
    def is_unsupported(self) -> bool:
        """Whether validation might not end, might match a client's pattern with Python's `re`, or is known to be wrong.

        `jsonschema` overlooks properties that a schema in `additionalProperties` has evaluated.
        """
        names = _collect_names(self.document.raw)
        has_unevaluated = "unevaluatedProperties" in names
        return (has_unevaluated and not names.isdisjoint(EVALUATING)) or has_cycle(self.root)

    def accepts(self, value: Json) -> bool | None:
        """Return whether the value is valid, or None if the validation fails or exceeds its bounds."""
        budget = self.root.cache.budget
        if budget.is_spent or not _is_finite(value) or self.is_unsupported:
            return None
        _remaining.set(MAX_KEYWORDS)
        verdict = self._validate(value)
        budget.spend_steps(STEPS_PER_KEYWORD * (MAX_KEYWORDS - _remaining.get()))
        return verdict

    def _validate(self, value: Json) -> bool | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.validator.is_valid(value)
            except Exception:  # noqa: BLE001 - the library may raise anything
                return None
            except BaseException as error:
                if type(error).__name__ != "PanicException":  # raised by its Rust maps when the stack is deep
                    raise
                return None


_remaining: ContextVar[int] = ContextVar("_remaining", default=MAX_KEYWORDS)
"""Keywords that the current validation may still apply."""


@lru_cache
def _validator_class(dialect: str) -> Any:
    """The validator class of a dialect, with counted keywords and linear-time patterns."""
    kind = validators.validator_for({"$schema": dialect})
    linear: dict[str, Keyword] = {
        "pattern": _check_pattern,
        "patternProperties": _check_pattern_properties,
        "additionalProperties": _check_additional_properties,
    }
    functions = cast("dict[str, Keyword]", kind.VALIDATORS)
    keywords = {name: linear.get(name, function) for name, function in functions.items()}
    extend = cast("Any", validators.extend)  # untyped
    return extend(kind, {name: _count_applications(function) for name, function in keywords.items()})


def _count_applications(function: Keyword) -> Keyword:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
        remaining = _remaining.get()
        if remaining <= 0:
            raise ValidationUndecided
        _remaining.set(remaining - 1)
        yield from function(validator, value, instance, schema) or ()

    return keyword


def _check_pattern(validator: Any, pattern: Any, instance: Any, _schema: Any) -> Errors:
    if validator.is_type(instance, "string") and not _is_match(pattern, instance):
        yield ValidationError(f"does not match {pattern!r}")


def _check_pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Errors:
    if validator.is_type(instance, "object"):
        for pattern, subschema in patterns.items():
            for name, value in instance.items():
                if _is_match(pattern, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _check_additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Errors:
    if validator.is_type(instance, "object"):
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, value in instance.items():
            if name not in properties and not any(_is_match(pattern, name) for pattern in patterns):
                yield from validator.descend(value, subschema, path=name)


def _is_match(pattern: str, text: str) -> bool:
    return _compile(pattern).search(text) is not None


@lru_cache(CACHED_PATTERNS)
def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    try:
        return re2.compile(ESCAPE.sub(_translate_escape, pattern), options)
    except re2.error as error:
        raise ValidationUndecided from error


def _translate_escape(escape: re.Match[str]) -> str:
    r"""Translate `\uXXXX` to the syntax of RE2."""
    return f"\\x{{{escape[1]}}}" if escape[1] else escape[0]


def _to_2020(raw: object) -> object:
    """Rewrite keywords of older drafts and `nullable: true`, also in unknown keywords, to which references may lead."""
    if isinstance(raw, list):
        return [_to_2020(item) for item in cast("list[object]", raw)]
    if not isinstance(raw, dict):
        return raw
    entries = {key: _value_to_2020(key, value) for key, value in cast("dict[str, object]", raw).items()}
    type_names = entries.get("type")
    if entries.get("nullable") is True and isinstance(type_names, str | list):
        types = cast("list[object]", type_names) if isinstance(type_names, list) else [type_names]
        entries["type"] = [*types, *([] if "null" in types else ["null"])]
    if isinstance(entries.get("items"), list):
        entries["prefixItems"] = entries.pop("items")
        entries["items"] = entries.pop("additionalItems", True)
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(entries.get(exclusive), bool) and entries.pop(exclusive) and inclusive in entries:
            entries[exclusive] = entries.pop(inclusive)
    return entries


def _value_to_2020(keyword: str, value: object) -> object:
    if keyword in DATA_KEYWORDS:
        return value
    if keyword in SCHEMA_MAPS and isinstance(value, dict):
        return {name: _to_2020(schema) for name, schema in cast("dict[str, object]", value).items()}
    return _to_2020(value)


def _collect_names(raw: object) -> set[str]:
    """Collect the names of all object members in the document, keywords or not."""
    names: set[str] = set()
    stack = [raw]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += cast("list[object]", value)
        elif isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            names.update(entries)
            stack += entries.values()
    return names


def _is_finite(value: Json) -> bool:
    stack = [value]
    while stack:
        match stack.pop():
            case list(items):
                stack += items
            case dict(entries):
                stack += entries.values()
            case float(number) if not math.isfinite(number):
                return False
            case _:
                pass
    return True
