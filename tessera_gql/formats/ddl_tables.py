"""The tables that the statements of a SQL file create, while they are read in order."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema
from tessera_gql.formats.untrusted_json import JsonObject
from tessera_gql.formats.warehouse_types import allow_null, parse_type

_TYPE_NAME_PATTERN = re.compile(r'[\w."]+')
_SERIAL_PATTERN = re.compile(r"(?:big|small)?serial[248]?", re.IGNORECASE)


@dataclass
class UserTypes:
    """The enums and domains that a SQL file creates, by name in lower case."""

    enums: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    domains: dict[str, str] = field(default_factory=dict[str, str])

    def convert(self, spelling: str, dialect: str | None) -> JsonObject:
        """Return the schema of a column type."""
        name = fold(spelling)
        if domain := self._find(self.domains, name):
            spelling = domain
        values = self._find(self.enums, name)
        schema = parse_type(spelling, dialect).schema
        return schema if values is None else {"type": "string", "enum": list(values), **schema}

    def _find(self, types: dict[str, Any], name: str) -> Any:
        if not _TYPE_NAME_PATTERN.fullmatch(name):
            return None
        return types.get(name) or types.get(name.rpartition(".")[2])


@dataclass
class Column:
    """A column of a table. `schema` accepts no null; `is_required` says whether the column is NOT NULL."""

    name: str
    schema: JsonObject
    is_required: bool = False
    description: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Promise:
    """A guarantee of a constraint; `columns` are those that it names."""

    section: str
    name: str
    value: Any
    columns: tuple[str, ...]


@dataclass
class Table:
    """A table with its columns and constraints. `fault` says why it can't be read."""

    name: str
    columns: dict[str, Column] = field(default_factory=dict[str, Column])
    promises: dict[str, Promise] = field(default_factory=dict[str, Promise])
    description: str | None = None
    warnings: list[str] = field(default_factory=list[str])
    fault: str | None = None

    def add_column(self, column: Column) -> None:
        if fold(column.name) in self.columns:
            raise DocumentError(f"This SQL declares the column {column.name[:200]!r} twice. Leave one of them out.")
        self.columns[fold(column.name)] = column

    def find_column(self, name: str) -> Column | None:
        return self.columns.get(fold(name))

    def drop_column(self, name: str) -> bool:
        """Drop a column, with the constraints that name it. Return whether there was one."""
        self.promises = {
            key: promise for key, promise in self.promises.items() if fold(name) not in map(fold, promise.columns)
        }
        return self.columns.pop(fold(name), None) is not None

    def rename_column(self, name: str, new_name: str) -> bool:
        """Rename a column, also in the constraints that name it. Return whether there was one."""
        if fold(name) not in self.columns:
            return False
        columns = list(self.columns.values())
        self.columns = {}
        for column in columns:
            column.name = new_name if fold(column.name) == fold(name) else column.name
            self.add_column(column)
        self.promises = {key: _rename(promise, name, new_name) for key, promise in self.promises.items()}
        return True

    def promise_key(self, names: Iterable[str], constraint: str | None) -> None:
        """Promise that the combination of columns is unique."""
        columns = tuple(column.name if (column := self.find_column(name)) else name for name in names)
        if columns:
            self._add(Promise("uniqueness", ", ".join(columns), "always", columns), constraint)

    def promise_values(self, name: str, values: list[Any], constraint: str | None) -> None:
        """Promise that a column has only some values."""
        column = self.find_column(name)
        self._add(Promise("accepted_values", column.name if column else name, values, (name,)), constraint)

    def promise_check(self, expression: str, columns: Iterable[str], constraint: str | None) -> None:
        """Promise that an expression holds for every row."""
        self._add(Promise("checks", expression, "always", tuple(columns)), constraint)

    def _add(self, promise: Promise, constraint: str | None) -> None:
        self.promises[fold(constraint) if constraint else f"{promise.section} {promise.name}"] = promise

    def require(self, names: Iterable[str]) -> None:
        for name in names:
            if column := self.find_column(name):
                column.is_required = True

    def to_schema(self) -> ParsedSchema:
        schema: JsonObject = {"$schema": JSON_SCHEMA_DIALECT, "type": "object", "properties": {}, "required": []}
        for column in self.columns.values():
            if column.is_required:
                schema["required"].append(column.name)
            description = {"description": column.description} if column.description else {}
            column_schema = column.schema if column.is_required else allow_null(column.schema)
            schema["properties"][column.name] = column_schema | description
        return ParsedSchema(
            self.name,
            schema,
            guarantees=self._to_guarantees(),
            description=self.description,
            warnings=tuple(self.warnings),
            fault=self.fault,
        )

    def _to_guarantees(self) -> JsonObject | None:
        guarantees: dict[str, JsonObject] = {}
        for promise in self.promises.values():
            guarantees.setdefault(promise.section, {})[promise.name] = promise.value
        return guarantees or None


def _rename(promise: Promise, name: str, new_name: str) -> Promise:
    if fold(name) not in map(fold, promise.columns):
        return promise
    columns = tuple(new_name if fold(column) == fold(name) else column for column in promise.columns)
    match promise.section:
        case "uniqueness":
            return Promise("uniqueness", ", ".join(columns), promise.value, columns)
        case "accepted_values":
            return Promise("accepted_values", new_name, promise.value, columns)
        case section:
            pattern = rf"(?<![\w'\"]){re.escape(name)}(?![\w'\"])"
            expression = re.sub(pattern, lambda _match: new_name, promise.name, flags=re.IGNORECASE)
            return Promise(section, expression, promise.value, columns)


def fold(name: str) -> str:
    """Return a name as it is compared: in lower case and without quotes."""
    return name.lower().replace('"', "").replace("`", "")


def is_serial(spelling: str) -> bool:
    """Whether a type is an integer that is never null, because it takes its values from a sequence."""
    return _SERIAL_PATTERN.fullmatch(spelling) is not None
