"""Read and write the YAML files of teams, assets and policies of asks in a git repository.

The files contain teams, assets, all contracts, live registrations and deprecations, dependencies, and the policies that
administrators have set. Ids, API keys, proposals with their acknowledgments, ended registrations and the event log
belong to one database and are left out, and column lineage comes from the next manifest.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin
from unicodedata import normalize

from tessera_gql.formats import yaml
from tessera_gql.formats.yaml import Path, YamlDocument, YamlError

FILE_HEADER = (
    "# Tessera GQL writes this file on push and reads it on pull; pull edits before the next push, or they are lost."
)
FORMAT_VERSION = 1
FILE_SUFFIX = ".yaml"
READ_SUFFIXES = frozenset({".yaml", ".yml"})

_SAFE_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_RESERVED_NAME = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.ASCII)
_MAX_NAME_LENGTH = 120

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ContractEntry:
    """A version of an asset's contract; enum values are spelled as in GraphQL."""

    version: str
    status: str
    change_type: str
    compatibility_mode: str
    published_at: datetime
    published_by: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    guarantees: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    known_columns: dict[str, Any] | None = None
    schema: Any
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class RegistrationEntry:
    """A live registration of a consumer team."""

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
    """A dependency on an upstream asset."""

    asset: str
    type: str
    evidence: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class DeprecationEntry:
    """A live deprecation of a field, or without a path of the whole asset."""

    path: str | None = None
    sunset_at: datetime | None = None
    replacement: str | None = None
    reason: str | None = None
    origin: str
    declared_by: str
    declared_at: datetime
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class TeamFile:
    """The content of a team's file. An archived team is marked, so that a pull keeps it archived.

    A delegation that has ended is in no file.
    """

    name: str
    archived: bool = False
    delegate: str | None = None
    delegate_until: datetime | None = None
    escalation_team: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """The content of an asset's file. `contracts` are in the order of publication.

    The tier is left out if it is the default that no administrator has confirmed. Labels of a manifest are left out.
    """

    fqn: str
    owner: str
    resource_type: str
    description: str | None = None
    compatibility_mode: str
    tier: str | None = None
    tier_confirmed: bool = False
    labels: tuple[str, ...] = ()
    archived: bool = False
    superseded_by: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    deprecations: tuple[DeprecationEntry, ...] = ()
    contracts: tuple[ContractEntry, ...] = ()
    registrations: tuple[RegistrationEntry, ...] = ()
    dependencies: tuple[DependencyEntry, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """The policy of the asks about assets of a tier. Without `remind_days_before` no team is reminded."""

    tier: str
    due_days: int
    remind_days_before: tuple[int, ...] = ()
    escalate_after_days: int | None = None
    on_silence: str
    require_coverage_days: int | None = None
    line: int = field(default=0, compare=False)


GitFile: TypeAlias = TeamFile | AssetFile | PolicyFile
FILE_TYPES: Mapping[str, type[GitFile]] = {"team": TeamFile, "asset": AssetFile, "policy": PolicyFile}
_ENTRY_TYPES: Mapping[str, type[Any]] = {
    "contracts": ContractEntry,
    "deprecations": DeprecationEntry,
    "registrations": RegistrationEntry,
    "dependencies": DependencyEntry,
}


def file_name(name: str) -> str:
    """Return a unique file name that is valid on any file system and doesn't depend on the case of `name`.

    A name with letters beyond ASCII, a reserved name or one that is too long gets a hash after `~`, which no other
    name contains.
    """
    key = normalize("NFC", name.strip()).casefold()
    if len(key) <= _MAX_NAME_LENGTH and _SAFE_NAME.fullmatch(key) and not _RESERVED_NAME.match(key):
        return key + FILE_SUFFIX
    readable = re.sub(r"[^a-z0-9_]+", "-", key[:60], flags=re.ASCII).strip("-") or "name"
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    return f"{'_' if _RESERVED_NAME.match(readable) else ''}{readable}~{digest}{FILE_SUFFIX}"


def default_path(file: GitFile) -> str:
    """Return the path of a new file in the folder. No two teams, assets or tiers have the same one."""
    match file:
        case TeamFile():
            return f"teams/{file_name(file.name)}"
        case AssetFile():
            return f"assets/{file_name(file.fqn)}"
        case PolicyFile():
            return f"policies/{file_name(file.tier)}"


def render_file(file: GitFile) -> str:
    """Return the text of a file, one line per value; equal content gives equal text."""
    kind = next(kind for kind, model in FILE_TYPES.items() if isinstance(file, model))
    return f"{FILE_HEADER}\n{yaml.dump({'kind': kind, 'format': FORMAT_VERSION, **_to_mapping(file)})}"


def _to_mapping(entry: Any) -> dict[str, Any]:
    """Return the fields of an entry, without empty ones."""
    values = ((field_.name, getattr(entry, field_.name)) for field_ in fields(entry) if field_.name != "line")
    return {name: _to_yaml_value(value) for name, value in values if _is_written(name, value)}


def _is_written(name: str, value: Any) -> bool:
    """Whether a field is in the file. No known columns are not the same as unknown ones."""
    is_empty = value is False or value in (None, {}, ())
    return name == "schema" or (value == {} and name == "known_columns") or not is_empty


def _to_yaml_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return [_to_yaml_value(item) for item in value]
        case _ if is_dataclass(value):
            return _to_mapping(value)
        case _:
            return yaml.sort_keys(value)


def parse_file(text: str) -> GitFile:
    """Parse a file. Raises YamlError with the line of a key that is missing, unknown or of the wrong type."""
    document = yaml.load(text)
    entry = _Mapping(document, (), document.value)
    kind = entry.read_keyword("kind", FILE_TYPES)
    if entry.value.get("format") != FORMAT_VERSION:
        raise entry.error("format", f"is not {FORMAT_VERSION}, the only one this version reads")
    return entry.build(FILE_TYPES[kind], other_keys={"kind", "format"})


@dataclass(frozen=True)
class _Mapping:
    """A mapping in a file, with its path."""

    document: YamlDocument
    path: Path
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise YamlError("a mapping (`key: value`) is expected here", self.document.line_of(self.path))

    def error(self, key: str, problem: str) -> YamlError:
        return YamlError(f"`{key}` {problem}", self.document.line_of((*self.path, key)))

    def read_keyword(self, key: str, keywords: Mapping[str, object]) -> str:
        value = self.value.get(key)
        if not isinstance(value, str) or value not in keywords:
            raise self.error(key, f"must be one of {', '.join(keywords)}")
        return value

    def build(self, model: type[T], other_keys: set[str] | None = None) -> T:
        """Build an instance of the dataclass from the keys; `other_keys` are allowed and ignored."""
        fields_by_name = {field_.name: field_ for field_ in fields(model) if field_.name != "line"}  # type: ignore[arg-type] # dataclasses
        names = fields_by_name.keys() | (other_keys or set())
        for key in self.value:
            if key not in names:
                suggestions = get_close_matches(key, sorted(names), n=1)
                hint = f"; did you mean `{suggestions[0]}`?" if suggestions else ""
                raise self.error(key, f"is not known here{hint}")
        arguments: dict[str, Any] = {"line": self.document.line_of(self.path)}
        for name, field_ in fields_by_name.items():
            if name in self.value:
                arguments[name] = self.read(name, field_.type)
            elif field_.default is field_.default_factory:  # both are MISSING
                raise YamlError(f"`{name}` is missing", self.document.line_of(self.path))
        return model(**arguments)

    def read(self, key: str, type_: Any) -> Any:
        value = self.value[key]
        type_options = get_args(type_) if isinstance(type_, UnionType) else (type_,)
        base_type = get_origin(type_options[0]) or type_options[0]
        match value:
            case None if NoneType in type_options:
                return None
            case str() | dict() | bool() | int() if type(value) is base_type:
                return value  # pyright: ignore[reportUnknownVariableType]
            case str() if base_type is datetime:
                return self.read_timestamp(key, value)
            case list() if key in _ENTRY_TYPES:
                return tuple(self.read_entries(key, value))
            case list() if base_type is tuple and all(type(item) is get_args(type_options[0])[0] for item in value):
                return tuple(value)
            case _ if base_type is Any:
                return value
            case _:
                expected = type_options[0] if base_type is tuple else base_type
                raise self.error(key, f"must be {_TYPE_NAMES[expected] if key not in _ENTRY_TYPES else 'a list'}")

    def read_entries(self, key: str, items: list[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            yield _Mapping(self.document, (*self.path, key, number), item).build(_ENTRY_TYPES[key])

    def read_timestamp(self, key: str, text: str) -> datetime:
        try:
            timestamp = datetime.fromisoformat(text)
        except ValueError:
            timestamp = None
        if timestamp is None or timestamp.tzinfo is None:
            raise self.error(key, "must be a moment with its offset, such as 2026-03-01T09:30:00Z")
        return timestamp.astimezone(UTC)


_TYPE_NAMES = {
    bool: "true or false",
    str: "a text",
    dict: "a mapping",
    datetime: "a moment with its offset",
    int: "a whole number",
    tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
}
