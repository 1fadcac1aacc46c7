"""Every module of the package says in one sentence what it holds."""

import ast
from pathlib import Path

import pytest

from tests.language.identifiers import ROOT

MINIMUM_WORDS = 4
MODULES = sorted((ROOT / "tessera_gql").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_docstring_begins_with_a_sentence_of_four_words(path: Path) -> None:
    source = path.read_text()
    first_line = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    assert len(first_line.split()) >= MINIMUM_WORDS
    assert first_line.endswith(".")
