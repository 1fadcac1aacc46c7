"""No name that the glossary bans is bound anywhere in the project."""

from pathlib import Path

import pytest

from tests.language.identifiers import ROOT, Use, banned_in, banned_names

FOLDERS = ("tessera_gql", "bench", "examples", "tests")
NAMES = frozenset({"found", "Opened"})


def own_files(folder: Path) -> list[Path]:
    """The files of the project in a folder; conformance tests install packages of others into theirs."""
    return sorted(file for file in folder.rglob("*.py") if "node_modules" not in file.parts)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_banned_name_is_bound(folder: str) -> None:
    names = banned_names()
    uses = [use for file in own_files(ROOT / folder) for use in banned_in(file, names)]
    assert [str(use._replace(path=use.path.relative_to(ROOT))) for use in uses] == []


def test_the_glossary_bans_names_in_every_row_of_its_table() -> None:
    assert {"found", "one", "told", "place", "Opened", "because"} <= banned_names()


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "_found = 1",
        "class Opened: ...",
        "def found(): ...",
        "import os as found",
        "row.found = 1",
        "class Row:\n    found: int",
        "def load(found):\n    a = 1\n    b = 2\n    c = 3\n    d = 4",
        "def load():\n    found = 1\n    b = 2\n    c = 3\n    return found",
    ],
)
def test_a_banned_name_is_reported_where_it_is_bound(tmp_path: Path, source: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert [use.name.strip("_").lower() for use in banned_in(path, NAMES)] in (["found"], ["opened"])


@pytest.mark.parametrize(
    "source", ["row = found", "print(row.found)", "load(found=1)", "def load():\n    found = 1\n    return found"]
)
def test_reading_a_banned_name_or_binding_it_in_a_short_function_is_allowed(tmp_path: Path, source: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert banned_in(path, NAMES) == []


def test_a_use_is_printed_with_file_and_line() -> None:
    assert str(Use(Path("a.py"), 3, "found")) == "a.py:3 found"
