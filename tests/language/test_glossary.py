"""The glossary is in order, names what exists, and one class name means one thing."""

import ast
import re
from collections import defaultdict

from tests.language.identifiers import GLOSSARY, ROOT

PACKAGE = ROOT / "tessera_gql"
MIRRORS = ("client", "graphql")
"""Packages whose classes mirror those of other packages for users of the API."""


def classes() -> dict[str, list[str]]:
    """Map the name of each public class to the modules that define it."""
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(str(path.relative_to(PACKAGE)))
    return modules


def rows(heading: str) -> list[tuple[str, str]]:
    """The rows of the table below a heading, without its head."""
    section = GLOSSARY.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)[1:]


def test_terms_are_sorted_and_each_is_explained_once() -> None:
    terms = [term.lower() for term, _ in rows("Terms")]
    assert terms == sorted(set(terms))


def test_each_meaning_is_a_sentence() -> None:
    assert [term for term, meaning in rows("Terms") if not (meaning[0].isupper() or meaning[0] == "`")] == []
    assert [term for term, meaning in rows("Terms") if not meaning.endswith(".")] == []


def test_classes_that_replace_a_banned_name_exist() -> None:
    replacements = {name for _, names in rows("Names that are not used") for name in re.findall(r"`([A-Z]\w+)`", names)}
    assert replacements - classes().keys() == set()


def test_a_class_name_has_one_meaning() -> None:
    own = {
        name: [module for module in modules if not module.startswith(MIRRORS)] for name, modules in classes().items()
    }
    assert {name: modules for name, modules in own.items() if len(modules) > 1} == {}
