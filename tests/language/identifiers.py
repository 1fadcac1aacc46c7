"""Find identifiers that the glossary bans.

`python -m tests.language.identifiers [PATH ...]` prints file, line and name of each, by default of the whole package.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs/glossary.md"
SHORT_BODY = 3
"""Lines of a function whose variables may have any name."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Use(NamedTuple):
    """A banned name where it is bound."""

    path: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name}"


def banned_names() -> frozenset[str]:
    """The names in the first column of the glossary's second table."""
    table = GLOSSARY.read_text().split("## Names that are not used")[1]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return frozenset(name for row in rows for name in re.findall(r"`(\w+)`", row))


def banned_in(path: Path, names: frozenset[str]) -> list[Use]:
    """Every binding of a banned name in a file, except variables of functions whose body has three lines at most."""
    bindings = _in_scope(ast.parse(path.read_text()))
    return sorted({Use(path, line, name) for line, name in bindings if name.strip("_") in names})


def _in_scope(scope: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each binding in a scope and the scopes inside it."""
    if isinstance(scope, Function) and not _is_short(scope):
        yield from ((argument.lineno, argument.arg) for argument in _arguments(scope.args))
    for node in _own_nodes(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not _is_short(scope):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname
        elif isinstance(node, SCOPES):
            if not isinstance(node, ast.Lambda):
                yield node.lineno, node.name
            yield from _in_scope(node)


def _is_short(scope: ast.AST) -> bool:
    if isinstance(scope, ast.Lambda):
        return True
    if not isinstance(scope, Function):
        return False
    return (scope.body[-1].end_lineno or 0) - scope.body[0].lineno < SHORT_BODY


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a scope; of the scopes inside it only the outermost node."""
    waiting: list[ast.AST] = [*ast.iter_child_nodes(scope)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument)


def main(arguments: Sequence[str]) -> int:
    names = banned_names()
    folders = [Path(argument) for argument in arguments] or [ROOT / "tessera_gql"]
    files = sorted(file for path in folders for file in ([path] if path.is_file() else path.rglob("*.py")))
    uses = [use for file in files for use in banned_in(file, names)]
    for use in uses:
        print(use)  # noqa: T201
    print(f"{len(uses)} banned names in {len(files)} files")  # noqa: T201
    return bool(uses)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
