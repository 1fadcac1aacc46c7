"""Find the lines at which a document declares the parts of its schema."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import yaml

from tessera_gql.formats import ddl
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.formats.yaml import MAX_DEPTH

Path: TypeAlias = tuple[str, ...]

_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class SourceLines:
    """Lines of a document, counted from 1.

    `by_path` has the line of each key and list item by its path. `by_names` has the lines of tables, records and
    columns by their names, outermost first, for documents whose structure differs from that of their schema.
    """

    by_path: Mapping[Path, int] = field(default_factory=dict[Path, int])
    by_names: Mapping[Path, int] = field(default_factory=dict[Path, int])

    def find_line(self, path: Sequence[str], names: Sequence[str]) -> int | None:
        """Return the line of a value by its path, else of a column by its names, or of the nearest parent."""
        for length in range(len(path), -1, -1):
            if line := self.by_path.get(tuple(path[:length])):
                return line
        for length in range(len(names), 0, -1):
            for candidate, line in self._by_last_name.get(names[length - 1], ()):
                if _is_subsequence(names[:length], candidate):
                    return line
        return None

    @cached_property
    def _by_last_name(self) -> Mapping[str, list[tuple[Path, int]]]:
        lines: defaultdict[str, list[tuple[Path, int]]] = defaultdict(list)
        for names, line in self.by_names.items():
            lines[names[-1]].append((names, line))
        return lines


def find_lines(source: SchemaDocument) -> SourceLines:
    """Index the lines of a document that was parsed before; compiled ones have none."""
    match source.format:
        case SchemaFormat.JSON_SCHEMA:
            return SourceLines(by_path={value.path: value.line for value in _iterate_values(source.text)})
        case SchemaFormat.ODCS | SchemaFormat.AVRO:
            return SourceLines(by_names=_index_names(source.text))
        case SchemaFormat.DDL:
            return SourceLines(by_names=dict(_iterate_columns(source.text, source.dialect)))
        case SchemaFormat.DCS:
            return SourceLines(by_names=dict(_iterate_fields(source.text)))
        case SchemaFormat.PROTOBUF:
            return SourceLines()


def _is_subsequence(names: Sequence[str], candidate: Path) -> bool:
    remaining = iter(candidate)
    return all(name in remaining for name in names)


class _Value(NamedTuple):
    """A value of a JSON or YAML document, and the line of its key, or of itself in a list."""

    path: Path
    line: int
    text: str | None


@dataclass
class _Container:
    """An open list or mapping. `key` and `line` belong to the value that comes next."""

    path: Path
    is_list: bool
    key: str | None = None
    line: int = 0
    index: int = 0

    def next_value(self, line: int) -> tuple[Path, int]:
        """Return path and line of the next value."""
        if self.is_list:
            self.index += 1
            return (*self.path, str(self.index - 1)), line
        key, self.key = self.key, None
        return (*self.path, key or ""), self.line


def _iterate_values(text: str) -> Iterator[_Value]:
    """Yield all values of a document. What YAML can't read, such as a lone surrogate in JSON, ends it early."""
    text = _SURROGATE_PAIR.sub(lambda match: json.loads(f'"{match[0]}"'), text)  # YAML knows no pairs of escapes
    stack: list[_Container] = []
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
            elif len(stack) > MAX_DEPTH:
                return  # no schema is nested so deep, and each path is as long as its depth
            elif isinstance(event, yaml.NodeEvent):
                yield from _handle_node(event, stack)
    except yaml.YAMLError:
        return


def _handle_node(event: Any, stack: list[_Container]) -> Iterator[_Value]:
    line, text = event.start_mark.line + 1, getattr(event, "value", None)
    container = stack[-1] if stack else None
    path: Path = ()
    if container is not None and not container.is_list and container.key is None:
        path, container.key, container.line = container.path, text or "", line
    else:
        if container is not None:
            path, line = container.next_value(line)
        yield _Value(path, line, text)
    if isinstance(event, yaml.CollectionStartEvent):
        stack.append(_Container(path, is_list=isinstance(event, yaml.SequenceStartEvent)))


def _index_names(text: str) -> dict[Path, int]:
    """Index the mappings that have a `name`, as the tables, records and columns of ODCS and Avro do."""
    values = {value.path[:-1]: value for value in _iterate_values(text) if value.path[-1:] == ("name",) and value.text}
    lines: dict[Path, int] = {}
    for path, value in values.items():
        ancestors = (values.get(path[:length]) for length in range(len(path) + 1))
        lines.setdefault(tuple(ancestor.text for ancestor in ancestors if ancestor and ancestor.text), value.line)
    return lines


def _iterate_fields(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the models and fields of a data contract, whose names are keys."""
    for value in _iterate_values(text):
        names = _field_names(value.path)
        if names:
            yield names, value.line


def _field_names(path: Path) -> Path:
    """Return the names of a model and of the fields that lead to a field; empty for any other value."""
    if path[:1] != ("models",) or len(path) < 2:
        return ()
    names, position = [path[1]], 2
    while position < len(path):
        if path[position] in {"items", "values"}:
            position += 1
        elif path[position] == "fields" and position + 1 < len(path):
            names.append(path[position + 1])
            position += 2
        else:
            return ()
    return tuple(names) if path[-1] == names[-1] else ()


def _iterate_columns(text: str, dialect: str | None) -> Iterator[tuple[Path, int]]:
    for table in ddl.read_tables(text, dialect):
        for column in table.columns.values():
            if column.line is not None:
                yield (table.name.rpartition(".")[2], column.name), column.line
