"""The documentation is built without a warning, and no page of it needs another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is among the tools of developers")

from scripts import site

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?([^"' >]+)|<link\b[^>]*\bhref=["']?([^"' >]+)""")
STYLE = re.compile(r"url\(\s*[\"']?(?:https?:)?//")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


def test_every_page_is_built_without_a_warning(built: Path) -> None:
    pages = {page.relative_to(built).as_posix() for page in built.rglob("*.html")}
    assert {"index.html", "guides/producers.html", "reference/schema.html", "project/architecture.html"} <= pages


def test_nothing_that_a_page_loads_comes_from_another_host(built: Path) -> None:
    loaded = {
        first or second
        for page in built.rglob("*.html")
        for first, second in LOADED.findall(page.read_text())
        if re.match(r"(?:https?:)?//", first or second)
    }
    assert loaded == set()
    assert [style.name for style in built.rglob("*.css") if STYLE.search(style.read_text())] == []


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("index.md", "[a](../ARCHITECTURE.md)", "[a](project/architecture.md)"),
        ("index.md", "![a](images/graphiql.png)", "![a](images/graphiql.png)"),
        ("guides/producers.md", "[a](../uploading.md#progress)", "[a](../uploading.md#progress)"),
        ("guides/producers.md", "[a](../../examples/sdk.py)", "a"),
        ("project/architecture.md", "[a](docs/glossary.md)", "[a](../glossary.md)"),
        ("project/architecture.md", "[a](CONTRIBUTING.md)", "[a](contributing.md)"),
        ("index.md", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"),
        ("index.md", "[a](missing.md)", "[a](missing.md)"),
    ],
)
def test_a_link_leads_to_the_page_in_the_site(page: str, link: str, expected: str) -> None:
    assert site.rewritten(link, page) == expected


def test_a_link_in_a_code_block_stays_as_it_is() -> None:
    text = "```text\n[a](../ARCHITECTURE.md)\n```\n"
    assert site.rewritten(text, "index.md") == text
