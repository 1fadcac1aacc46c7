"""Release a version: `python scripts/release.py 1.2.3` dates its changelog section, commits and tags.

`--notes 1.2.3` prints the changelog section of a version instead, as the text of a release.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
PROJECT = ROOT / "pyproject.toml"
KUBERNETES = ROOT / "deploy/kubernetes/kustomization.yaml"
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
HEADING = re.compile(r"^## (?P<version>\S+), (?P<state>unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def notes(changelog: str, version: str) -> str:
    """The text below the heading of a version; raises ValueError if there is no such section."""
    headings = list(HEADING.finditer(changelog))
    for index, heading in enumerate(headings):
        if heading["version"] == version:
            end = headings[index + 1].start() if index + 1 < len(headings) else len(changelog)
            return changelog[heading.end() : end].strip()
    raise ValueError(f"CHANGELOG.md has no section `## {version}, …`.")


def dated(changelog: str, version: str, date: str) -> str:
    """The changelog with its unreleased section closed under this version and date."""
    newest = HEADING.search(changelog)
    if newest is None or newest["state"] != "unreleased":
        raise ValueError("The newest section of CHANGELOG.md is not unreleased. Add `## VERSION, unreleased` first.")
    if not notes(changelog, newest["version"]):
        raise ValueError("The unreleased section of CHANGELOG.md is empty.")
    return changelog[: newest.start()] + f"## {version}, {date}" + changelog[newest.end() :]


def with_version(project: str, version: str) -> str:
    """The text of pyproject.toml with another version."""
    return re.sub(r'^version = ".*"$', f'version = "{version}"', project, count=1, flags=re.MULTILINE)


def with_tag(kustomization: str, version: str) -> str:
    """The text of the Kubernetes base with the image of another version."""
    return re.sub(r'^    newTag: ".*"$', f'    newTag: "{version}"', kustomization, count=1, flags=re.MULTILINE)


def release(version: str) -> None:
    if not VERSION.fullmatch(version):
        raise ValueError("Give a version such as 1.2.3: make release VERSION=1.2.3")
    if git("status", "--porcelain"):
        raise ValueError("There are uncommitted changes. Commit or remove them first.")
    if f"v{version}" in git("tag", "--list").split():
        raise ValueError(f"The tag v{version} exists already.")
    CHANGELOG.write_text(dated(CHANGELOG.read_text(), version, f"{datetime.now(UTC):%Y-%m-%d}"))
    PROJECT.write_text(with_version(PROJECT.read_text(), version))
    KUBERNETES.write_text(with_tag(KUBERNETES.read_text(), version))
    git("commit", "--quiet", "--all", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Tessera GQL {version}")
    print(f"Committed and tagged v{version}. To publish it: git push --follow-tags")


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["--notes", version]:
                print(notes(CHANGELOG.read_text(), version))
            case [version]:
                release(version)
            case _:
                raise ValueError("usage: python scripts/release.py [--notes] VERSION")  # noqa: TRY301
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
