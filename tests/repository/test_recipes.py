"""The recipes of CONTRIBUTING.md work: each is applied to a copy of the repository, and its commands succeed there."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STEP = re.compile(
    r"^## (?P<heading>[^\n]+)$"
    r"|^(?:In `(?P<path>[^`\n]+)`, (?P<position>before|after|instead of) the line `(?P<anchor>[^\n]+)`:"
    r"|At the end of `(?P<ended>[^`\n]+)`:"
    r"|Create `(?P<created>[^`\n]+)`:)\n\n```\w+\n(?P<text>.*?)^```$"
    r"|^```console\n(?P<commands>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
IGNORED = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", ".[hpri]*_cache", "*.db*", "site", "htmlcov", ".hypothesis"
)
"""What is not copied. The cache of mypy is: it saves most of the time of this test."""
AT_THE_END = "make reference"
"""Writes all pages anew, so once is enough."""


@dataclass
class Copy:
    """A copy of the repository in which recipes are applied."""

    root: Path

    def edit(self, step: re.Match[str]) -> None:
        if step["created"]:
            path = self.root / step["created"]
            assert not path.exists(), f"{path} exists already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["text"])
        elif step["ended"]:
            path = self.root / step["ended"]
            path.write_text(path.read_text() + step["text"])
        else:
            path = self.root / step["path"]
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(changed(lines, step["anchor"], step["position"], step["text"])))

    def run(self, command: str) -> None:
        tools = f"BIN={BIN} -o .venv/.server -o .venv/.developer"
        process = subprocess.run(
            ["bash", "-c", re.sub(r"^make ", f"make {tools} ", command)],
            cwd=self.root,
            env=environment(self.root),
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, f"{command}\n{process.stdout[-4000:]}\n{process.stderr[-2000:]}"


def environment(root: Path) -> dict[str, str]:
    """This process's environment without what pytest and make left in it for themselves."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MAKE"))}
    return {**own, "PYTHONPATH": str(root), "PATH": f"{BIN}:{own['PATH']}"}


def changed(lines: list[str], anchor: str, position: str, text: str) -> list[str]:
    """The lines with the text at the only line that contains the anchor."""
    (index,) = [number for number, line in enumerate(lines) if anchor in line]
    first = index + 1 if position == "after" else index
    last = index if position == "before" else index + 1
    return [*lines[:first], text, *lines[last:]]


def steps() -> list[re.Match[str]]:
    recipes = (ROOT / "CONTRIBUTING.md").read_text().split("\n# Recipes\n")[1]
    return list(STEP.finditer(recipes))


def test_every_recipe_works(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    shutil.copytree(ROOT, copy.root, ignore=IGNORED)
    recipe = ""
    for step in steps():
        recipe = step["heading"] or recipe
        try:
            if step["text"] is not None:
                copy.edit(step)
            for command in re.findall(r"^\$ (.*)$", step["commands"] or "", re.MULTILINE):
                if command != AT_THE_END:
                    copy.run(command)
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"{recipe}: {step[0][:100]}\n{error}") from error
    touched = " ".join(sorted({step["path"] or step["ended"] or step["created"] for step in steps() if step["text"]}))
    copy.run(AT_THE_END)
    copy.run(f"ruff format {touched}")
    copy.run(f"ruff check {touched}")
    copy.run("lint-imports")
    copy.run("mypy")


def test_every_step_of_a_recipe_that_names_a_file_is_recognized() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    claimed = re.findall(r"^(?:In|At the end of|Create) `.*`:$", text, re.MULTILINE)
    assert len(claimed) == sum(step["text"] is not None for step in steps()) > 10


def test_an_anchor_must_be_unique() -> None:
    assert changed(["a\n", "b\n"], "a", "after", "x\n") == ["a\n", "x\n", "b\n"]
    assert changed(["a\n", "b\n"], "b", "instead of", "x\n") == ["a\n", "x\n"]
