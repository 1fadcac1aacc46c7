"""Convert the tables of a SQL file to JSON Schemas and guarantees. A nullable column is optional.

The statements are applied in order, as a database does: `CREATE TABLE`, `ALTER TABLE`, `DROP TABLE`, `COMMENT`, unique
indexes, enums and domains. Statements about anything else are ignored.
"""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from tessera_gql.formats import ddl_constraints
from tessera_gql.formats.ddl_tables import Column, Table, UserTypes, fold, is_serial
from tessera_gql.formats.parsed_schema import DocumentError, ParsedSchema, check_length
from tessera_gql.formats.sql_statements import Statement, detect_dialect, split_statements

GUARANTEE_SECTIONS = frozenset({"uniqueness", "accepted_values", "checks"})
"""The sections of guarantees that SQL can express."""
_NAME = r"""((?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\])(?:\s*\.\s*(?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\]))*)"""
_CREATE_TABLE = re.compile(
    r"create\s+(?:or\s+(?:replace|alter|refresh)\s+)?(?P<kind>(?:\w+\s+){0,3}?)table\s+(?:if\s+not\s+exists\s+)?"
    + _NAME,
    re.IGNORECASE,
)
_ALTER_TABLE = re.compile(r"alter\s+(?:foreign\s+)?table\s+(?:if\s+exists\s+)?(?:only\s+)?" + _NAME, re.IGNORECASE)
_CREATE_ENUM = re.compile(rf"create\s+type\s+{_NAME}\s+as\s+enum\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)
_ADD_ENUM_VALUE = re.compile(
    rf"alter\s+type\s+{_NAME}\s+add\s+value\s+(?:if\s+not\s+exists\s+)?'((?:[^']|'')*)'", re.IGNORECASE
)
_CREATE_DOMAIN = re.compile(
    rf"create\s+domain\s+{_NAME}\s+(?:as\s+)?(.*?)"
    r"(?:\s+(?:constraint|check|not\s+null|null|default|collate)\b.*)?$",
    re.IGNORECASE | re.DOTALL,
)
_RENAME_COLUMN = re.compile(rf"\brename\s+(?!to\b)(?:column\s+)?{_NAME}\s+to\s+{_NAME}", re.IGNORECASE)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_TEMPORARY = re.compile(r"\btemp(?:orary)?\b", re.IGNORECASE)
_OTHER_STATEMENTS = re.compile(r"(?:comment\s+on|create\s+unique|drop\s+table)\b", re.IGNORECASE)
_UNREAD_STATEMENTS = re.compile(r"do\b", re.IGNORECASE)
_HARMLESS_ACTIONS = re.compile(
    r"\b(?:owner\s+to|(?:enable|disable|(?:no\s+)?force)\s+(?:always\s+|replica\s+)?(?:row|trigger|rule)"
    r"|replica\s+identity|(?:attach|detach)\s+partition|cluster\s+on|(?:no\s+)?inherit\s|(?:no)?check\s+constraint"
    r"|set\s+(?:without|tablespace|logged|unlogged|statistics|storage|tags?\b|tblproperties|\()|reset\s*\("
    r"|validate\s+constraint|add\s+generated|set\s+generated|auto_increment)",
    re.IGNORECASE,
)
"""Actions of ALTER TABLE that change neither columns nor constraints, and identities of columns that are NOT NULL."""
_ADD_CHECK = re.compile(r"\badd\s+check\b", re.IGNORECASE)
_VIRTUAL = re.compile(r"(?<=\))\s+virtual\b", re.IGNORECASE)
_WITH_CHECK = re.compile(r"\bwith\s+(?:no)?check\s+(?=add\b)", re.IGNORECASE)  # of SQL Server


def parse_tables(text: str, dialect: str | None = None) -> list[ParsedSchema]:
    """Parse the tables that the statements leave behind, in order. Raises DocumentError.

    A table that can't be read has a `fault`, and what was left out of a table is in its `warnings`.
    """
    tables = read_tables(text, dialect)
    if not tables:
        with_dialect = "" if dialect else ", and its SQL dialect if it is not standard SQL"
        raise DocumentError(f"This SQL creates no table with columns. Give its CREATE TABLE statements{with_dialect}.")
    schemas = [table.to_schema() for table in tables]
    if all(schema.fault for schema in schemas):
        raise DocumentError(str(schemas[0].fault))
    return schemas


def read_tables(text: str, dialect: str | None = None) -> list[Table]:
    """Read the tables, with the lines of their columns. Raises DocumentError."""
    import sqlglot  # noqa: PLC0415 - heavy, and only where DDL is read

    check_length(text, "SQL")
    if dialect is not None and dialect not in {item.value for item in sqlglot.Dialects}:
        raise DocumentError(f"There is no SQL dialect {dialect[:40]!r}. Name one, such as postgres or snowflake.")
    reader = _Reader(dialect or detect_dialect(text))
    for statement in split_statements(text, reader.dialect):
        reader.read(statement)
    return reader.finish()


class _Reader:
    """Applies statements to the tables of a file."""

    def __init__(self, dialect: str | None) -> None:
        self.dialect = dialect
        self.types = UserTypes()
        self.tables: dict[str, Table] = {}
        self.warnings: list[str] = []

    def finish(self) -> list[Table]:
        for table in self.tables.values():
            table.warnings += self.warnings
        return list(self.tables.values())

    def read(self, statement: Statement) -> None:
        text = statement.text
        if match := _CREATE_TABLE.match(text):
            self._create_table(statement, match)
        elif match := _ALTER_TABLE.match(text):
            if table := self._find_table(match[1]):
                self._alter_table(statement, table)
        elif _OTHER_STATEMENTS.match(text):
            self._apply_other(statement)
        elif _UNREAD_STATEMENTS.match(text):
            self.warnings.append(f"Line {statement.line}: the code of a DO block is not read.")
        else:
            self._define_type(text)

    def _define_type(self, text: str) -> None:
        if match := _CREATE_ENUM.match(text):
            self.types.enums[fold(match[1])] = [value.replace("''", "'") for value in _TEXT.findall(match[2])]
        elif match := _ADD_ENUM_VALUE.match(text):
            self.types.enums.setdefault(fold(match[1]), []).append(match[2].replace("''", "'"))
        elif match := _CREATE_DOMAIN.match(" ".join(text.split())):  # long white space would take long to match
            self.types.domains[fold(match[1])] = match[2]

    def _find_table(self, name: str) -> Table | None:
        """Find a table by its full name; one of the two names may leave out the schema."""
        key = _fold_name(name)
        if key in self.tables:
            return self.tables[key]
        matches = [
            table
            for table_key, table in self.tables.items()
            if f".{table_key}".endswith(f".{key}") or f".{key}".endswith(f".{table_key}")
        ]
        return matches[0] if len(matches) == 1 else None

    def _parse(self, statement: Statement) -> Any:
        """Parse a statement; None if it can't be parsed."""
        import sqlglot  # noqa: PLC0415
        from sqlglot import exp  # noqa: PLC0415
        from sqlglot.errors import SqlglotError  # noqa: PLC0415

        try:
            expression = sqlglot.parse_one(_normalize(statement), read=self.dialect)
        except (SqlglotError, RecursionError):
            return None
        return None if isinstance(expression, exp.Command) else expression

    def _create_table(self, statement: Statement, match: re.Match[str]) -> None:
        from sqlglot import exp  # noqa: PLC0415

        create = self._parse(statement)
        name = _join_name(match[2])
        if _TEMPORARY.search(match["kind"]) or _is_partition(create):
            return
        if _fold_name(name) in self.tables:
            if create is not None and create.args.get("exists"):
                return
            if create is None or not create.args.get("replace"):
                raise DocumentError("This SQL creates a table twice. Leave one of the CREATE TABLE statements out.")
        table = self.tables[_fold_name(name)] = Table(name)
        if isinstance(create, exp.Create) and isinstance(create.this, exp.Schema):
            self._fill_table(statement, table, create)
        elif create is None:
            dialect = "" if self.dialect else " Give its SQL dialect."
            table.fault = f"Line {statement.line}: CREATE TABLE {name[:200]} can't be read.{dialect}"
        else:
            table.fault = (
                f"Line {statement.line}: CREATE TABLE {name[:200]} lists no columns, so that they are not known here."
                " Write them into the statement."
            )

    def _fill_table(self, statement: Statement, table: Table, create: Any) -> None:
        from sqlglot import exp  # noqa: PLC0415

        self._copy_columns(table, create)
        partitions = [item.this for item in create.find_all(exp.PartitionedByProperty)]
        for schema in (create.this, *(item for item in partitions if isinstance(item, exp.Schema))):
            for item in schema.expressions:
                if isinstance(item, exp.ColumnDef):
                    self._add_column(statement, table, item)
        ddl_constraints.apply_table_constraints(table, create.this.expressions, self.dialect)
        comment = create.find(exp.SchemaCommentProperty)
        table.description = comment.this.name if comment is not None else table.description

    def _copy_columns(self, table: Table, create: Any) -> None:
        """Copy the columns of `LIKE` and `INHERITS`. A table of another file makes this one unreadable."""
        from sqlglot import exp  # noqa: PLC0415

        sources = [item.this for item in create.find_all(exp.LikeProperty)]
        sources += [parent for item in create.find_all(exp.InheritsProperty) for parent in item.expressions]
        for source in sources:
            original = self._find_table(_table_name(source))
            if original is None:
                table.fault = f"{table.name} has the columns of {_table_name(source)}, which this SQL does not create."
                continue
            for column in original.columns.values():
                table.add_column(
                    Column(column.name, column.schema, column.is_required, column.description, column.line)
                )

    def _add_column(self, statement: Statement, table: Table, definition: Any) -> None:
        if definition.args.get("exists") and table.find_column(definition.name):
            return
        spelling = definition.kind.sql(self.dialect) if definition.kind else ""
        schema = ddl_constraints.read_enum(definition.kind) or (
            self.types.convert(spelling, self.dialect) if spelling else {}
        )
        line = definition.this.meta.get("line")
        column = Column(definition.name, schema, is_serial(spelling), line=line and statement.line + line - 1)
        table.add_column(column)
        ddl_constraints.apply_column_constraints(table, column, definition, self.dialect)

    def _alter_table(self, statement: Statement, table: Table) -> None:
        from sqlglot import exp  # noqa: PLC0415

        alter = self._parse(statement)
        if match := _RENAME_COLUMN.search(statement.text):
            is_applied = table.rename_column(_join_name(match[1]), _join_name(match[2]))
        elif isinstance(alter, exp.Alter):
            results = [self._apply(statement, table, action) for action in alter.args.get("actions") or ()]
            is_applied = all(results)
        else:
            is_applied = _HARMLESS_ACTIONS.search(statement.text) is not None
        if not is_applied:
            action = " ".join(statement.text.split())[:120]
            table.warnings.append(f"Line {statement.line}: {action!r} is not understood and was left out.")

    def _apply(self, statement: Statement, table: Table, action: Any) -> bool:
        """Apply an action of ALTER TABLE. Return whether it is understood."""
        from sqlglot import exp  # noqa: PLC0415

        match action:
            case exp.ColumnDef():
                self._add_column(statement, table, action)
            case exp.AlterRename():
                self._rename_table(table, action)
            case exp.AlterColumn():
                return self._alter_column(table, action)
            case exp.ModifyColumn():
                return self._modify_column(statement, table, action)
            case exp.Drop():
                return _drop(table, action)
            case exp.AddConstraint(expressions=constraints):
                ddl_constraints.apply_table_constraints(table, constraints, self.dialect)
            case _:
                return _HARMLESS_ACTIONS.search(statement.text) is not None
        return True

    def _rename_table(self, table: Table, action: Any) -> None:
        new_name = _table_name(action.this)
        schema, _, _ = table.name.rpartition(".")
        del self.tables[_fold_name(table.name)]
        table.name = new_name if "." in new_name or not schema else f"{schema}.{new_name}"
        self.tables[_fold_name(table.name)] = table

    def _alter_column(self, table: Table, action: Any) -> bool:
        column = table.find_column(action.name)
        if column is None:
            return False
        if (data_type := action.args.get("dtype")) is not None:
            column.schema = self.types.convert(data_type.sql(self.dialect), self.dialect)
        if (allow_null := action.args.get("allow_null")) is not None:
            column.is_required = not allow_null
        if comment := action.args.get("comment"):
            column.description = comment.name
        return True

    def _modify_column(self, statement: Statement, table: Table, action: Any) -> bool:
        """Replace a column by its new definition, as in MySQL: `MODIFY` and `CHANGE`."""
        definition = action.this
        previous_name = action.args["rename_from"].name if action.args.get("rename_from") else definition.name
        if not table.rename_column(previous_name, definition.name):
            return False
        replacement = Table(table.name)
        self._add_column(statement, replacement, definition)
        table.columns[fold(definition.name)] = replacement.columns[fold(definition.name)]
        table.promises |= replacement.promises
        return True

    def _apply_other(self, statement: Statement) -> None:
        from sqlglot import exp  # noqa: PLC0415

        match self._parse(statement):
            case exp.Comment(this=exp.Column() as target, expression=text):
                table = self._find_table(".".join(part.name for part in target.parts[:-1]))
                if column := table and table.find_column(target.name):
                    column.description = text.name
            case exp.Comment(this=exp.Table() as target, expression=text):
                if table := self._find_table(_table_name(target)):
                    table.description = text.name
            case exp.Create(this=exp.Index() as index):
                if table := self._find_table(_table_name(index.args["table"])):
                    ddl_constraints.apply_unique_index(table, index)
            case exp.Drop() as drop:
                self._drop_tables(drop)
            case _:
                pass

    def _drop_tables(self, drop: Any) -> None:
        for target in drop.args.get("tables") or [drop.this]:
            if target is not None and (table := self._find_table(_table_name(target))):
                del self.tables[_fold_name(table.name)]


def _normalize(statement: Statement) -> str:
    """Return the statement in a form that the parser knows.

    It needs a name for a check that is added, and knows generated columns that are stored only.
    """
    numbers = count(1)
    text = _VIRTUAL.sub(" STORED", _WITH_CHECK.sub("", statement.text))
    return _ADD_CHECK.sub(lambda _: f"add constraint check_{statement.line}_{next(numbers)} check", text)


def _drop(table: Table, action: Any) -> bool:
    names = [target.name for target in action.args.get("tables") or [action.this] if target is not None]
    match action.args.get("kind"):
        case "COLUMN":
            results = [table.drop_column(name) or bool(action.args.get("exists")) for name in names]
            return all(results)
        case "CONSTRAINT" | "INDEX" | "KEY":
            for name in names:
                table.promises.pop(fold(name), None)
            return True
        case _:
            return False


def _is_partition(create: Any) -> bool:
    from sqlglot import exp  # noqa: PLC0415

    return create is not None and create.find(exp.PartitionedOfProperty) is not None


def _table_name(table: Any) -> str:
    return ".".join(part.name for part in table.parts)


def _join_name(name: str) -> str:
    """Return a name of SQL without its quotes."""
    return ".".join(_iterate_parts(name))


def _iterate_parts(name: str) -> Iterator[str]:
    for match in re.finditer(r'"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|([\w$]+)', name):
        yield match[1] or match[2] or match[3] or match[4]


def _fold_name(name: str) -> str:
    return fold(_join_name(name))
