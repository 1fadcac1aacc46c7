"""The files ARCHITECTURE.md names exist, its picture has every layer, no modules import each other in a circle."""

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"`([a-z_]+/(?:[a-z_]+/)*(?:[a-z_]+\.py)?)`", PAGE))
    missing = {name for name in paths if not any((root / name).exists() for root in (ROOT, ROOT / "tessera_gql"))}
    assert len(paths) > 20
    assert missing == set()


def test_every_layer_of_the_contract_is_in_the_picture() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {name for line in contracts[0]["layers"] for name in re.findall(r"[a-z_]+", line)}
    assert layers - set(re.findall(r"[a-z_]+", PAGE)) <= {"__main__"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(node: ast.AST) -> Iterator[str]:
    """Every module that may be imported below the node, inside functions too; not what only a type checker imports."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module is not None:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        yield from imports(child)


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = {module_name(path): ast.parse(path.read_text()) for path in (ROOT / "tessera_gql").rglob("*.py")}
    graph = {name: (set(imports(tree)) & set(trees)) - {name} for name, tree in trees.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) > 200
