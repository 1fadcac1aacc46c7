"""JSON values as YAML and back: every value comes back as it was, and nothing but plain values is read.

What is written reads the same under YAML 1.1 and 1.2. What is read is built from parser events alone: no tags, no
aliases (so no "billion laughs"), no second document, no key twice.
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
_NOTED = 3

_PLAIN: Mapping[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_UNKEPT = re.compile("[\0\ud800-\udfff]")
_BLOCK = re.compile(r"(?:[^\s]|[^\s][^\n]*[^\s])(?:\n+(?:[^\s]|[^\s][^\n]*[^\s]))*\n?")


class YamlError(ValueError):
    """Text that is not the YAML we read; `line` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class Read:
    """`lines` says where the values of the upper levels begin, by their path."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Of the value, or of the nearest one around it whose line is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dump(value: Any) -> str:
    """Block style, one line a value; the order of keys is the caller's."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000, indent=2)


def load(text: str) -> Read:
    """Raises YamlError."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"the file has more than {MAX_BYTES:,} characters", 1)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(error.problem or "it is no YAML", mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError("it has a character that YAML does not allow", line) from None
    return Read(builder.value, builder.lines)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # the C one where it was built
    """Quotes what any YAML could take for something else; never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text and _BLOCK.fullmatch(text) and text.replace("\n", "").isprintable():
        style = "|"
    elif not text.isprintable() or text.strip() != text or _NUMBER.fullmatch(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Open:
    """A list or mapping that is being filled; `key` is the one whose value comes next."""

    value: Any
    path: Path
    key: str | None = None


@dataclass
class _Builder:
    """Takes parser events in order; `value` is the document at the end."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    _stack: list[_Open] = field(default_factory=list[_Open])
    _documents: int = 0
    _count: int = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.AliasEvent():
                raise YamlError("aliases (`*name`) are not read; write the value out", line)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise YamlError("a second document begins; a file holds one", line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], event.tag, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case _:
                pass

    def _begin(self, value: Any, tag: str | None, line: int) -> None:
        _refuse_tag(tag, line)
        if len(self._stack) >= MAX_DEPTH:
            raise YamlError(f"values are nested deeper than {MAX_DEPTH} levels", line)
        self._stack.append(_Open(value, self._put(value, line)))

    def _scalar(self, event: Any, line: int) -> None:
        _refuse_tag(event.tag, line)
        if _UNKEPT.search(event.value):
            raise YamlError("a text holds NUL or half of a surrogate pair, which no database keeps", line)
        holder = self._stack[-1] if self._stack else None
        if holder is not None and isinstance(holder.value, dict) and holder.key is None:
            if event.value in holder.value:
                raise YamlError(f"the key `{event.value}` stands here twice", line)
            holder.key = event.value
            return
        self._put(_plain(event.value) if event.implicit[0] else event.value, line)

    def _put(self, value: Any, line: int) -> Path:
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlError(f"the file holds more than {MAX_VALUES:,} values", line)
        if not self._stack:
            self.value = value
            path: Path = ()
        else:
            path = self._place(self._stack[-1], value, line)
        if len(path) <= _NOTED:
            self.lines[path] = line
        return path

    def _place(self, holder: _Open, value: Any, line: int) -> Path:
        if isinstance(holder.value, list):
            holder.value.append(value)
            return (*holder.path, len(holder.value) - 1)
        if holder.key is None:
            raise YamlError("a list or mapping is used as a key; keys are texts", line)
        key, holder.key = holder.key, None
        holder.value[key] = value
        return (*holder.path, key)


def _refuse_tag(tag: str | None, line: int) -> None:
    if tag is not None and tag != "!":
        raise YamlError(f"tags (`{tag[:80]}`) are not read; write a plain value", line)


def _plain(text: str) -> Any:
    """The value of a plain scalar in the core schema of YAML 1.2, as far as JSON has it; all else is text."""
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if number not in (float("inf"), float("-inf")) else text
    return text


def ordered(value: Any) -> Any:
    """The value with the keys of every object sorted: databases keep no order of keys."""
    match value:
        case dict():
            return {key: ordered(value[key]) for key in sorted(value)}
        case list():
            return [ordered(item) for item in value]
        case _:
            return value
