"""Read a file as it is in a revision of its git repository."""

import os
import posixpath
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tessera_gql.cli.terminal import fail

GIT_SECONDS = 30
BLOB = re.compile(r"(?P<id>[0-9a-f]+) blob (?P<size>\d+)")
"""A file in the reply of `git cat-file --batch-check`."""


class RevisionRange(NamedTuple):
    """The two revisions of a comparison; None as the new one is the working tree."""

    old: str
    new: str | None


def parse_revision_range(text: str, path: Path) -> RevisionRange:
    """Parse `OLD..NEW`, `OLD...NEW` or `OLD` as git does: three dots begin at the merge base, and a gap is HEAD."""
    first, dots, last = text.partition("...") if "..." in text else text.partition("..")
    if not dots:
        return RevisionRange(_check_revision(text), None)
    old, new = _check_revision(first or "HEAD"), _check_revision(last or "HEAD")
    if dots == "...":
        base = _run_git(_split_path(path)[0], "merge-base", old, new)
        if base is None:
            raise fail(f"git finds no common ancestor of {old} and {new}. Are both fetched?")
        old = base.decode().strip()
    return RevisionRange(old, new)


def read_revision(revision: str, path: Path, max_bytes: int) -> bytes:
    """Read a file in a revision; an unknown or too large one ends the command with a message."""
    folder, name = _split_path(path)
    # Over stdin, no revision and no path can be taken for an option.
    requests = f"{revision}^{{commit}}\n{revision}:./{name}\n"
    reply = _run_git(folder, "cat-file", "--batch-check", stdin=requests.encode("utf-8", "surrogateescape"))
    commit, _, blob = (reply or b"").decode("utf-8", "replace").partition("\n")
    if " commit " not in commit:
        raise fail(f"There is no revision {revision} in the repository of {path}. Is it fetched?")
    match = BLOB.fullmatch(blob.strip())
    if match is None:
        raise fail(
            f"{path} is no file in revision {revision}. If it had another name there, write that version to a file with"
            f" `git show`, and compare the two files."
        )
    if (size := int(match["size"])) > max_bytes:
        raise fail(f"{path} has {size:,} bytes in revision {revision}; at most {max_bytes:,} are read.")
    content = _run_git(folder, "cat-file", "blob", match["id"])
    if content is None:
        raise fail(f"git can't read {path} in revision {revision}. `git fsck` checks the repository.")
    return content


def has_file(revision: str, path: Path) -> bool:
    """Return whether a revision has a file of this path. An unknown revision ends the command with a message.

    HEAD of a repository without a commit has no files.
    """
    folder, name = _split_path(path)
    commit = _run_git(folder, "rev-parse", "--verify", "--quiet", f"{_check_revision(revision)}^{{commit}}")
    if commit is None and revision != "HEAD":
        raise fail(f"There is no revision {revision} in the repository of {path}. Is it fetched?")
    if commit is None:
        return False
    request = f"{revision}:./{name}\n".encode("utf-8", "surrogateescape")
    reply = _run_git(folder, "cat-file", "--batch-check", stdin=request) or b""
    return BLOB.fullmatch(reply.decode("utf-8", "replace").strip()) is not None


def find_revision_file(revision: str, path: Path, max_bytes: int, relative_path: str) -> bytes | None:
    """Read a file by its path relative to a file's folder, as it is in a revision; None if there is none."""
    folder, name = _split_path(path)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), relative_path))
    if any(char in target for char in "\n\0"):
        return None
    request = f"{revision}:./{target}\n".encode("utf-8", "surrogateescape")
    reply = _run_git(folder, "cat-file", "--batch-check", stdin=request) or b""
    match = BLOB.fullmatch(reply.decode("utf-8", "replace").strip())
    return _run_git(folder, "cat-file", "blob", match["id"]) if match and int(match["size"]) <= max_bytes else None


def iterate_siblings(revision: str, path: Path, max_bytes: int) -> Iterator[bytes]:
    """Yield the other files of a file's folder that have its suffix, as they are in a revision."""
    folder, name = _split_path(path)
    parent = name.rpartition("/")[0]
    listing = _run_git(folder, "ls-tree", "-z", "--name-only", revision, *([f"{parent}/"] if parent else []))
    names = (listing or b"").decode("utf-8", "surrogateescape").split("\0")
    for sibling in sorted(names):
        if sibling != name and Path(sibling).suffix == path.suffix:
            yield read_revision(revision, folder / sibling, max_bytes)


def _check_revision(revision: str) -> str:
    """Refuse what git could read as an option, as a path or as a second revision."""
    if not revision or revision.startswith("-") or not revision.isprintable() or not {":", " "}.isdisjoint(revision):
        raise fail(
            f"{revision or 'An empty text'} is no revision. Give a commit, branch or tag, such as HEAD~1 or main."
        )
    return revision


def _split_path(path: Path) -> tuple[Path, str]:
    """Split a path at the nearest folder that exists: a file of an old revision may be gone with its folder."""
    name = path.name
    if not name or any(char in str(path) for char in "\n\0"):
        raise fail(f"{path} is no name of a file.")
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder, name = folder.parent, f"{folder.name}/{name}"
    return folder, name


def _run_git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes | None:
    """Run git and return its output; None if it finds nothing."""
    # A hook of git sets variables such as GIT_DIR, which would lead to another repository than the file's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        process = subprocess.run(  # noqa: S603 - a fixed program without a shell; revisions never begin with `-`
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's git, wherever it is
            input=stdin,
            capture_output=True,
            timeout=GIT_SECONDS,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise fail("There is no program `git`. Install it, or give two files.") from None
    except subprocess.TimeoutExpired:
        raise fail(f"git did not end within {GIT_SECONDS} seconds. Look at the repository.") from None
    if process.returncode > 1:
        reason = " ".join(process.stderr.decode("utf-8", "replace").split())[:500]
        raise fail(f"git {arguments[0]} says: {reason}. Check the revision of --git, and that of the repository.")
    return process.stdout if process.returncode == 0 else None
