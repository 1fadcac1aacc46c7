"""Typed access to untrusted JSON. A value of the wrong type reads as absent and leads to a warning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from tessera_gql.formats.storage_faults import find_storage_fault

JsonObject: TypeAlias = dict[str, Any]

_MAX_STORED_DEPTH = 31
_MAX_LISTED = 3


class Warnings:
    """Warnings of a parser: each message once, with the names of the objects it applies to."""

    def __init__(self) -> None:
        self._names_by_message: dict[str, dict[str, None]] = {}

    def add(self, message: str, name: str) -> None:
        self._names_by_message.setdefault(message, {})[name] = None

    def messages(self) -> tuple[str, ...]:
        by_message = sorted(self._names_by_message.items())
        return tuple(f"{message}: {_join_names(sorted(names))}." for message, names in by_message)


@dataclass(slots=True)
class UntrustedJson:
    """A JSON object with its name for warnings. The methods return shared values, which must not be changed.

    It is not frozen, since a manifest has half a million of them, and a frozen one takes three times as long to make.
    """

    value: JsonObject
    name: str
    warnings: Warnings

    def text(self, key: str) -> str | None:
        """Return the string at `key`, stripped; None if it is empty."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, str) and "\0" not in value:
            return value.strip() or None
        self._warn_ignored(key, "text")
        return None

    def label(self, key: str) -> str | None:
        """Return text, or a number as text: dbt treats `v: 2` and `v: "2"` alike."""
        value = self.value.get(key)
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else self.text(key)

    def flag(self, key: str) -> bool | None:
        value = self.value.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._warn_ignored(key, "true or false")
        return None

    def object(self, key: str) -> "UntrustedJson":
        value = self.value.get(key)
        if not isinstance(value, dict):
            if value is not None:
                self._warn_ignored(key, "an object")
            value = {}
        return UntrustedJson(value, self.name, self.warnings)

    def objects(self, key: str) -> Iterator["UntrustedJson"]:
        """Iterate over the objects in the list at `key`."""
        for item in self.list(key):
            if isinstance(item, dict):
                yield UntrustedJson(item, self.name, self.warnings)
            else:
                self._warn_ignored(key, "a list of objects")

    def entries(self, key: str) -> Iterator[tuple[str, "UntrustedJson"]]:
        """Iterate over the objects in the object at `key`, each named by its key."""
        for name, value in self.object(key).value.items():
            if "\0" in name:  # PostgreSQL stores no NUL
                problem = f"Entries of `{key}` have a NUL character in their name and were left out"
                self.warnings.add(problem, name.replace("\0", "\N{REPLACEMENT CHARACTER}"))
            elif isinstance(value, dict):
                yield name, UntrustedJson(value, name, self.warnings)
            else:
                self.warnings.add(f"Entries of `{key}` are not objects and were left out", name)

    def list(self, key: str) -> list[Any]:
        value = self.value.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self._warn_ignored(key, "a list")
        return []

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the strings at `key`: a list, or a single string."""
        value = self.value.get(key)
        items = [value] if isinstance(value, str) else self.list(key)
        texts = tuple(item for item in items if isinstance(item, str) and "\0" not in item)
        if len(texts) < len(items):
            self._warn_ignored(key, "a list of texts")
        return texts

    def storable(self, key: str) -> JsonObject:
        """Return the object at `key` if every database can store it, else an empty one."""
        if key not in self.value:
            return {}
        value = self.object(key).value
        if not value or is_storable(value):
            return value
        self.warnings.add(f"`{key}` is nested too deep or holds a NUL character and was ignored", self.name)
        return {}

    def _warn_ignored(self, key: str, expected: str) -> None:
        self.warnings.add(f"`{key}` is not {expected} and was ignored", self.name)


def is_storable(value: object) -> bool:
    """Whether a JSON value nests at most 32 deep and holds nothing that PostgreSQL can't store, such as NUL."""
    return find_storage_fault(value, _MAX_STORED_DEPTH) is None


def _join_names(names: list[str]) -> str:
    unlisted = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {unlisted} more" if unlisted > 0 else "")
