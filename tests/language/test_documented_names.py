"""A name in backticks in a docstring or a comment is a name that exists, so that no rename leaves it behind."""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.language.identifiers import ROOT

MODULES = sorted((ROOT / "tessera_gql").rglob("*.py"))
DOTTED_NAME = re.compile(r"@?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(.*\))?=?")
EXTERNAL_NAMES = {
    "alembic_version": "a table of Alembic",
    "amt": "an abbreviated column of a renaming",
    "creation": "a column of a renaming",
    "cust": "an abbreviated column of a renaming",
    "customerID": "a column of a renaming",
    "HTTPStatus2": "a column of a renaming",
    "check_schema": "a method of jsonschema",
    "expression_is_true": "a test of the package dbt_utils",
    "include": "a directive of GraphQL",
    "Relationship": "a function of SQLModel",
    "_int4": "a type of PostgreSQL",
    "minRows": "a label of a guarantee",
    "INHERITS": "a clause of SQL",
    "MODIFY": "a clause of SQL",
    "PT24H": "a duration of ISO 8601",
    "snowflakeType": "a key of the Data Contract Specification",
}
"""Names of other systems and of examples, with what they are."""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment."""
    for docstring in docstrings(ast.parse(source)):
        yield docstring.lineno, str(docstring.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def docstrings(tree: ast.Module) -> list[ast.Constant]:
    """The strings that are statements: docstrings, and descriptions below a constant or field."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    return [value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def documented_names(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each Python name in backticks; a dotted name has several."""
    for line, text in texts(source):
        for quoted in re.findall(r"`([^`]+)`", text):
            if match := DOTTED_NAME.fullmatch(quoted.removesuffix(".py")):
                yield from ((line, name) for name in match[1].split("."))


def names_of(source: str) -> Iterator[str]:
    """Every name in code, and those in strings without a space: columns, keywords and settings are named in strings."""
    tree = ast.parse(source)
    descriptions = {id(docstring) for docstring in docstrings(tree)}
    for node in ast.walk(tree):
        for attribute in ("id", "attr", "name", "arg", "asname", "module"):
            if isinstance(value := getattr(node, attribute, None), str):
                yield from value.split(".")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in descriptions:
            yield from () if " " in node.value else re.findall(r"\w+", node.value)


@cache
def existing_names() -> frozenset[str]:
    """The names of Python, of the modules, of everything in them and of the GraphQL schema."""
    names = {*keyword.kwlist, *dir(builtins), *re.findall(r"\w+", (ROOT / "schema.graphql").read_text())}
    for path in MODULES:
        names.update(path.relative_to(ROOT).with_suffix("").parts)
        names.update(names_of(path.read_text()))
    return frozenset(names | {name.upper() for name in names})


def unknown_names(source: str) -> list[tuple[int, str]]:
    """The documented names that exist neither in the project nor outside of it."""
    return [
        (line, name)
        for line, name in documented_names(source)
        if name not in existing_names() and name not in EXTERNAL_NAMES
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_documented_name_exists(path: Path) -> None:
    assert unknown_names(path.read_text()) == []


def test_a_renamed_name_is_noticed_in_docstrings_and_comments() -> None:
    source = '"""Calls `policy.find_removed_name()`."""\nlimit = 1  # as `removed_limit` says, unlike `DATABASE_URL`\n'
    assert unknown_names(source) == [(1, "find_removed_name"), (2, "removed_limit")]


def test_every_external_name_is_documented_and_has_no_definition() -> None:
    documented = {name for path in MODULES for _, name in documented_names(path.read_text())}
    assert EXTERNAL_NAMES.keys() - documented == set()
    assert EXTERNAL_NAMES.keys() & existing_names() == set()
