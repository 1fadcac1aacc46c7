"""Hooks of mkdocs: pages of the root folder become pages of the site, and links work in the repository and in the site.

In the repository a link is relative to its file. In the site, a link to a page leads to that page; a link to another
file of the repository, such as a module or an example, becomes its text, since the site holds no source code.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ("ARCHITECTURE.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
FENCED = re.compile(r"(^(?P<fence>```+).*?^(?P=fence)$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)]*)?\)")


def site_path(name: str) -> str:
    """Where a page of the root folder is in the site."""
    return f"project/{name.lower()}"


def on_files(files: Files, config: Any) -> Files:
    for name in PROJECT:
        files.append(File.generated(config, site_path(name), content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_kwargs: Any) -> str:
    return rewritten(markdown, page.file.src_uri)


def rewritten(markdown: str, src_uri: str) -> str:
    """The text of a page with the links of the site; code blocks stay as they are."""
    parts = FENCED.split(markdown)
    # Each match gives three parts: the text before, the code block and the fence that the pattern captured.
    texts = (LINK.sub(lambda link: _link(link, src_uri), part) for part in parts[::3])
    blocks = [*parts[1::3], ""]
    return "".join(text + block for text, block in zip(texts, blocks, strict=True))


def _link(link: re.Match[str], src_uri: str) -> str:
    target = link["target"]
    if re.match(r"[a-z]+:", target):
        return link[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(_repository_path(src_uri)), target))
    if path in PROJECT:
        goal = site_path(path)
    elif path.startswith("docs/"):
        goal = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return link["text"]
    else:
        return link[0]  # reported by mkdocs as a link to nothing
    there = posixpath.relpath(goal, posixpath.dirname(src_uri) or ".")
    return f"{link['image']}[{link['text']}]({there}{link['anchor'] or ''})"


def _repository_path(src_uri: str) -> str:
    by_site_path = {site_path(name): name for name in PROJECT}
    return by_site_path.get(src_uri, f"docs/{src_uri}")
