"""The second opinion: `jsonschema` reads the document too. The only module that knows the library."""

import math
import re
import warnings
from functools import cached_property
from typing import Any, cast

from jsonschema import validators
from jsonschema.protocols import Validator
from referencing import Registry

from tessera_gql.diff.declared import has_cycle
from tessera_gql.diff.json import Json
from tessera_gql.diff.regex import automaton
from tessera_gql.diff.schema import Schema

LONG = 12
NESTED = re.compile(r"[*+}]\??\)|\|")


class Judge:
    """One schema as `jsonschema` reads it, with `nullable` spelled as a type."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.document = root.document

    @cached_property
    def validator(self) -> Validator:
        schema = cast("dict[str, Any] | bool", _without_nullable(self.document.raw))
        kind = validators.validator_for({"$schema": self.document.dialect.uri})
        return kind(schema, registry=Registry())

    @cached_property
    def is_costly(self) -> bool:
        """Some pattern may take a backtracking matcher exponential time."""
        return any(NESTED.search(pattern) or automaton(pattern) is None for pattern in _patterns(self.document.raw))

    @cached_property
    def asks_itself(self) -> bool:
        """A schema applies to the very value it is being applied to: such a reading does not end."""
        return has_cycle(self.root)

    def accepts(self, value: Json) -> bool | None:
        """None where the reading fails or might take too long."""
        if not _is_finite(value) or (self.is_costly and _is_long(value)) or self.asks_itself:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.validator.is_valid(value)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001 - its maps panic outside Exception when the stack is deep; nothing is confirmed
                return None


def _without_nullable(raw: object) -> object:
    """`nullable: true` beside a type, as the type with null; inside data as well, where it is found by nobody."""
    if isinstance(raw, list):
        return [_without_nullable(item) for item in cast("list[object]", raw)]
    if not isinstance(raw, dict):
        return raw
    entries = {key: _without_nullable(item) for key, item in cast("dict[str, object]", raw).items()}
    named = entries.get("type")
    if entries.get("nullable") is True and isinstance(named, str | list):
        listed = cast("list[object]", named) if isinstance(named, list) else [named]
        entries["type"] = [*listed, *([] if "null" in listed else ["null"])]
    return entries


def _patterns(raw: object) -> set[str]:
    found: set[str] = set()
    stack = [raw]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += cast("list[object]", value)
        elif isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            stack += entries.values()
            pattern, named = entries.get("pattern"), entries.get("patternProperties")
            found |= {pattern} if isinstance(pattern, str) else set()
            found |= cast("dict[str, object]", named).keys() if isinstance(named, dict) else set()
    return found


def _scalars(value: Json) -> list[Json]:
    found: list[Json] = []
    stack = [value]
    while stack:
        each = stack.pop()
        match each:
            case list():
                stack += each
            case dict():
                stack += each.values()
                found += each.keys()
            case _:
                found.append(each)
    return found


def _is_finite(value: Json) -> bool:
    return all(math.isfinite(each) for each in _scalars(value) if isinstance(each, float))


def _is_long(value: Json) -> bool:
    return any(len(each) > LONG for each in _scalars(value) if isinstance(each, str))
