"""Teams and assets as YAML files for a git repository, and back. What stands in a file is all that a pull restores.

Kept: teams, assets, every contract, live registrations, dependencies. Left out, because they belong to one database:
ids, API keys, proposals with their answers, ended registrations and the event log.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin
from unicodedata import normalize

from tessera_gql.formats import yaml
from tessera_gql.formats.yaml import Path, Read, YamlError

MARK = "# Tessera GQL writes this file on push and reads it on pull; pull edits before the next push, or they are lost."
FORMAT = 1
ENDING = ".yaml"

_SAFE = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.ASCII)
_LONGEST = 120

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ContractEntry:
    """One version; the words are spelled as everywhere."""

    version: str
    status: str
    change_type: str
    compatibility_mode: str
    published_at: datetime
    published_by: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    guarantees: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    schema: Any
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class RegistrationEntry:
    consumer: str
    consumer_asset: str | None = None
    fields: tuple[str, ...] | None = None
    pinned_version: str | None = None
    status: str
    evidence: str
    purpose: str | None = None
    registered_at: datetime
    acknowledged_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class DependencyEntry:
    asset: str
    type: str
    evidence: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class TeamFile:
    name: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """`contracts` stand in the order of their publication."""

    fqn: str
    owner: str
    resource_type: str
    description: str | None = None
    compatibility_mode: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    contracts: tuple[ContractEntry, ...] = ()
    registrations: tuple[RegistrationEntry, ...] = ()
    dependencies: tuple[DependencyEntry, ...] = ()
    line: int = field(default=0, compare=False)


KINDS: Mapping[str, type[TeamFile] | type[AssetFile]] = {"team": TeamFile, "asset": AssetFile}
_ENTRIES: Mapping[str, type[Any]] = {
    "contracts": ContractEntry,
    "registrations": RegistrationEntry,
    "dependencies": DependencyEntry,
}


def file_name(name: str) -> str:
    """A name for any file system, the same whatever the case of `name`; two names never share one.

    Where the name itself would not do (letters beyond ASCII, reserved words, too long), a hash of it is appended after
    a `~`, which no plain name has.
    """
    key = normalize("NFC", name.strip()).casefold()
    if len(key) <= _LONGEST and _SAFE.fullmatch(key) and not _RESERVED.match(key):
        return key + ENDING
    readable = re.sub(r"[^a-z0-9_]+", "-", key[:60], flags=re.ASCII).strip("-") or "name"
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    return f"{'_' if _RESERVED.match(readable) else ''}{readable}~{digest}{ENDING}"


def write(what: TeamFile | AssetFile) -> str:
    """The file's text: equal for equal content, one line a value."""
    kind = next(kind for kind, model in KINDS.items() if isinstance(what, model))
    return f"{MARK}\n{yaml.dump({'kind': kind, 'format': FORMAT, **_shown(what)})}"


def _shown(what: Any) -> dict[str, Any]:
    """Without what is empty, so that a file says only what there is to say."""
    found = ((one.name, getattr(what, one.name)) for one in fields(what) if one.name != "line")
    return {name: _value(value) for name, value in found if name == "schema" or value not in (None, {}, ())}


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return [_value(item) for item in value]
        case _ if is_dataclass(value):
            return _shown(value)
        case _:
            return yaml.ordered(value)


def read(text: str) -> TeamFile | AssetFile:
    """Raises YamlError with the line for whatever is missing, unknown or of the wrong type."""
    document = yaml.load(text)
    entry = _Entry(document, (), document.value)
    kind = entry.word("kind", KINDS)
    if entry.value.get("format") != FORMAT:
        raise entry.wrong("format", f"is not {FORMAT}, the only one this version reads")
    return entry.build(KINDS[kind], known={"kind", "format"})


@dataclass(frozen=True)
class _Entry:
    """One mapping of a file and where it stands."""

    document: Read
    path: Path
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise YamlError("a mapping (`key: value`) is expected here", self.document.line(self.path))

    def wrong(self, key: str, what: str) -> YamlError:
        return YamlError(f"`{key}` {what}", self.document.line((*self.path, key)))

    def word(self, key: str, among: Mapping[str, object]) -> str:
        found = self.value.get(key)
        if not isinstance(found, str) or found not in among:
            raise self.wrong(key, f"must be one of {', '.join(among)}")
        return found

    def build(self, model: type[T], known: set[str] | None = None) -> T:
        """An instance of the dataclass from the keys of its names."""
        wanted = {one.name: one for one in fields(model) if one.name != "line"}  # type: ignore[arg-type] # dataclasses
        names = wanted.keys() | (known or set())
        for key in self.value:
            if key not in names:
                near = get_close_matches(key, sorted(names), n=1)
                raise self.wrong(key, f"is not known here{f'; did you mean `{near[0]}`?' if near else ''}")
        found: dict[str, Any] = {"line": self.document.line(self.path)}
        for name, one in wanted.items():
            if name in self.value:
                found[name] = self.read(name, one.type)
            elif one.default is one.default_factory:  # both are MISSING
                raise YamlError(f"`{name}` is missing", self.document.line(self.path))
        return model(**found)

    def read(self, key: str, kind: Any) -> Any:
        value = self.value[key]
        options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
        base = get_origin(options[0]) or options[0]
        match value:
            case None if NoneType in options:
                return None
            case str() | dict() if type(value) is base:
                return value  # pyright: ignore[reportUnknownVariableType]
            case str() if base is datetime:
                return self.moment(key, value)
            case list() if key in _ENTRIES:
                return tuple(self.entries(key, value))
            case list() if base is tuple and all(isinstance(item, str) for item in value):
                return tuple(value)
            case _ if base is Any:
                return value
            case _:
                raise self.wrong(key, f"must be {_SPOKEN[base] if key not in _ENTRIES else 'a list'}")

    def entries(self, key: str, items: list[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            yield _Entry(self.document, (*self.path, key, number), item).build(_ENTRIES[key])

    def moment(self, key: str, text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise self.wrong(key, "must be a moment with its offset, such as 2026-03-01T09:30:00Z")
        return found.astimezone(UTC)


_SPOKEN = {str: "a text", dict: "a mapping", datetime: "a moment with its offset", tuple: "a list of texts"}
