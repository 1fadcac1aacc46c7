"""A foreign JSON object read without trust: a value of the wrong type reads as absent and is noted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

_DEEPEST = 32
_SHOWN = 3


class Notes:
    """What a reader passed over: each sentence once, with the places where it is true."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, None]] = {}

    def add(self, sentence: str, place: str) -> None:
        self._places.setdefault(sentence, {})[place] = None

    def sentences(self) -> tuple[str, ...]:
        return tuple(f"{sentence}: {_listed(sorted(self._places[sentence]))}." for sentence in sorted(self._places))


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON object and its name for notes. Reads share the parsed values: nobody may change them."""

    value: JsonObject
    name: str
    notes: Notes

    def text(self, key: str) -> str | None:
        """The string at `key`; an empty one is none."""
        value = self.value.get(key)
        if isinstance(value, str) and "\0" not in value:
            return value.strip() or None
        if value is not None:
            self._odd(key, "text")
        return None

    def label(self, key: str) -> str | None:
        """Text, or a number as text: dbt writes `v: 2` and `v: "2"` alike."""
        value = self.value.get(key)
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else self.text(key)

    def flag(self, key: str) -> bool | None:
        value = self.value.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._odd(key, "true or false")
        return None

    def object(self, key: str) -> "Document":
        value = self.value.get(key)
        if not isinstance(value, dict):
            if value is not None:
                self._odd(key, "an object")
            value = {}
        return Document(value, self.name, self.notes)

    def objects(self, key: str) -> Iterator["Document"]:
        """The objects in the list at `key`."""
        for item in self.list(key):
            if isinstance(item, dict):
                yield Document(item, self.name, self.notes)
            else:
                self._odd(key, "a list of objects")

    def entries(self, key: str) -> Iterator[tuple[str, "Document"]]:
        """The objects in the object at `key`, each named by its key."""
        for name, value in self.object(key).value.items():
            if isinstance(value, dict):
                yield name, Document(value, name, self.notes)
            else:
                self.notes.add(f"Entries of `{key}` are not objects and were left out", name)

    def list(self, key: str) -> list[Any]:
        value = self.value.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self._odd(key, "a list")
        return []

    def texts(self, key: str) -> tuple[str, ...]:
        """The strings at `key`: a list, or one string alone."""
        value = self.value.get(key)
        items = [value] if isinstance(value, str) else self.list(key)
        texts = tuple(item for item in items if isinstance(item, str) and "\0" not in item)
        if len(texts) < len(items):
            self._odd(key, "a list of texts")
        return texts

    def storable(self, key: str) -> JsonObject:
        """The object at `key` as it stands, where every database can keep it."""
        value = self.object(key).value
        if is_storable(value):
            return value
        self.notes.add(f"`{key}` is nested too deep or holds a NUL character and was ignored", self.name)
        return {}

    def _odd(self, key: str, expected: str) -> None:
        self.notes.add(f"`{key}` is not {expected} and was ignored", self.name)


def is_storable(value: object) -> bool:
    """Whether a JSON value nests at most 32 deep and holds no NUL, which PostgreSQL cannot keep."""
    level = [value]
    for _ in range(_DEEPEST):
        if any(isinstance(item, str) and "\0" in item for item in level):
            return False
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            return True
    return False


def _inner(value: object) -> Iterator[object]:
    match value:
        case Mapping():
            yield from value.keys()
            yield from value.values()
        case list():
            yield from value
        case _:
            return


def _listed(places: list[str]) -> str:
    rest = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
