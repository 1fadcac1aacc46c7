"""Dump JSON values as YAML and load them without loss.

The output means the same in YAML 1.1 and 1.2. The loader refuses tags, aliases (against "billion laughs"), a second
document and duplicate keys.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 16_000_000
MAX_DEPTH = 200
MAX_VALUES = 2_000_000
_MAX_LINE_DEPTH = 3

_CONSTANTS: Mapping[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGER_PATTERN = re.compile(r"[-+]?[0-9]{1,4000}", re.ASCII)
_NUMBER_PATTERN = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_UNSTORABLE_PATTERN = re.compile("[\0\ud800-\udfff]")
_BLOCK_PATTERN = re.compile(r"(?:[^\s]|[^\s][^\n]*[^\s])(?:\n+(?:[^\s]|[^\s][^\n]*[^\s]))*\n?")


class YamlError(ValueError):
    """A text that is not valid YAML, or uses a refused feature; `line` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class YamlDocument:
    """A loaded document. `lines` has the first line of each value of the upper levels, by path."""

    value: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """Return the line of a value, or of its nearest ancestor whose line is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dump(value: Any) -> str:
    """Dump a value in block style, one line per value, in the order of its keys."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000, indent=2)


def load(text: str) -> YamlDocument:
    """Load one document. Raises YamlError."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"the file has more than {MAX_BYTES:,} characters", 1)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.handle(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(error.problem or "it is no YAML", mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError("it has a character that YAML does not allow", line) from None
    return YamlDocument(builder.value, builder.lines)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # in C, if available
    """Quotes every string that YAML 1.1 or 1.2 could read as another type, and never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text and _BLOCK_PATTERN.fullmatch(text) and text.replace("\n", "").isprintable():
        style = "|"
    elif not text.isprintable() or text.strip() != text or _NUMBER_PATTERN.fullmatch(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Container:
    """An open list or mapping; `key` is the mapping key whose value comes next."""

    value: Any
    path: Path
    key: str | None = None


@dataclass
class _Builder:
    """Builds the document from parser events in order; at the end it is in `value`."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    _stack: list[_Container] = field(default_factory=list[_Container])
    _documents: int = 0
    _count: int = 0

    def handle(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.AliasEvent():
                raise YamlError("aliases (`*name`) are not read; write the value out", line)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise YamlError("a second document begins; a file holds one", line)
            case yaml.ScalarEvent():
                self._handle_scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open_container({} if isinstance(event, yaml.MappingStartEvent) else [], event.tag, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case _:
                pass

    def _open_container(self, value: Any, tag: str | None, line: int) -> None:
        _check_tag(tag, line)
        if len(self._stack) >= MAX_DEPTH:
            raise YamlError(f"values are nested deeper than {MAX_DEPTH} levels", line)
        self._stack.append(_Container(value, self._add_value(value, line)))

    def _handle_scalar(self, event: Any, line: int) -> None:
        _check_tag(event.tag, line)
        if _UNSTORABLE_PATTERN.search(event.value):
            raise YamlError("a text holds NUL or half of a surrogate pair, which no database keeps", line)
        container = self._stack[-1] if self._stack else None
        if container is not None and isinstance(container.value, dict) and container.key is None:
            if event.value in container.value:
                raise YamlError(f"the key `{event.value}` stands here twice", line)
            container.key = event.value
            return
        self._add_value(_parse_scalar(event.value) if event.implicit[0] else event.value, line)

    def _add_value(self, value: Any, line: int) -> Path:
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlError(f"the file holds more than {MAX_VALUES:,} values", line)
        if not self._stack:
            self.value = value
            path: Path = ()
        else:
            path = self._add_to_container(self._stack[-1], value, line)
        if len(path) <= _MAX_LINE_DEPTH:
            self.lines[path] = line
        return path

    def _add_to_container(self, container: _Container, value: Any, line: int) -> Path:
        if isinstance(container.value, list):
            container.value.append(value)
            return (*container.path, len(container.value) - 1)
        if container.key is None:
            raise YamlError("a list or mapping is used as a key; keys are texts", line)
        key, container.key = container.key, None
        container.value[key] = value
        return (*container.path, key)


def _check_tag(tag: str | None, line: int) -> None:
    if tag is not None and tag != "!":
        raise YamlError(f"tags (`{tag[:80]}`) are not read; write a plain value", line)


def _parse_scalar(text: str) -> Any:
    """Return the JSON value of a plain scalar in the core schema of YAML 1.2; anything else is text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER_PATTERN.fullmatch(text):
        return int(text)
    if _NUMBER_PATTERN.fullmatch(text):
        number = float(text)
        return number if number not in (float("inf"), float("-inf")) else text
    return text


def sort_keys(value: Any) -> Any:
    """Return the value with the keys of all objects sorted, because databases don't preserve their order."""
    match value:
        case dict():
            return {key: sort_keys(value[key]) for key in sorted(value)}
        case list():
            return [sort_keys(item) for item in value]
        case _:
            return value
