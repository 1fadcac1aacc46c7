"""The folder of a git push on disk: written whole or not at all, and never through a link or outside of it.

Every function here blocks; callers run it in a thread.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tessera_gql.errors import Conflict, Invalid, Refusal
from tessera_gql.formats import git, yaml
from tessera_gql.formats.git import AssetFile, TeamFile
from tessera_gql.formats.yaml import YamlError

FOLDERS = {"teams": TeamFile, "assets": AssetFile}
STAGING = ".tessera-push"
STALE_SECONDS = 600
GIT_SECONDS = 120
SHOWN = 10
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

Rename = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Commit:
    """`author` as git writes it: `Name <address>`."""

    message: str
    author: str | None = None


@dataclass(frozen=True)
class Written:
    """Paths inside the folder, sorted; `commit` is the new commit's id, None if there was nothing to commit."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    commit: str | None = None


def load(folder: Path) -> list[tuple[str, TeamFile | AssetFile]]:
    """Everything the folder holds, by path; raises Invalid with file and line, up to ten mistakes at once."""
    root = _root(folder)
    if not any((root / name).is_dir() for name in FOLDERS):
        raise Invalid(f"{folder} holds no folder `teams` or `assets`, so there is nothing to pull. Push first.")
    found: list[tuple[str, TeamFile | AssetFile]] = []
    wrong: list[str] = []
    for path in _yaml_files(root):
        name = path.relative_to(root).as_posix()
        try:
            found.append((name, _parsed(path)))
        except YamlError as error:
            wrong.append(f"{name}, {error}")
        if len(wrong) >= SHOWN:
            break
    if wrong:
        raise Invalid("\n".join(["These files can't be pulled, and nothing was changed:", *wrong]))
    return found


def _parsed(path: Path) -> TeamFile | AssetFile:
    read = git.read(_text(path))
    if type(read) is not FOLDERS[path.parent.name]:
        raise YamlError(f"this file describes no {path.parent.name.removesuffix('s')}; move it", 2)
    return read


def _text(path: Path) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
        content = file.read(yaml.MAX_BYTES + 1)
    if len(content) > yaml.MAX_BYTES:
        raise YamlError(f"the file is larger than {yaml.MAX_BYTES:,} bytes", 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise YamlError("the file is not UTF-8", content.count(b"\n", 0, error.start) + 1) from None


def _yaml_files(root: Path) -> Iterator[Path]:
    for name in FOLDERS:
        inside = root / name
        if inside.is_symlink():
            raise Invalid(f"{name} is a symbolic link. Links are not followed: make it a folder.")
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if path.suffix != git.ENDING or path.name.startswith("."):
                continue
            if path.is_symlink() or not path.is_file():
                raise Invalid(f"{name}/{path.name} is a link or no file. Links are not followed: put the file there.")
            yield path


def _root(folder: Path) -> Path:
    try:
        return folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"The folder {folder} can't be opened. Create it, or set GIT_SYNC_PATH to another.") from None


def save(
    folder: Path, files: Mapping[str, str], commit: Commit | None = None, *, rename: Rename = os.replace
) -> Written:
    """Makes the folder hold exactly these files of ours; what others put there stays. All of it or nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"The folder {folder} can't be created: {error.strerror}.") from None
    root = _root(folder)
    if commit is not None:
        _require_repository(root, commit)
    staging = _begin(root)
    try:
        done = _exchange(root, staging, files, rename)
    except OSError as error:
        raise Conflict(f"The folder can't be written ({error.strerror or error}); it is as it was before.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if commit is None:
        return done
    return Written(done.written, done.removed, done.unchanged, _commit(root, files, commit))


def _begin(root: Path) -> Path:
    """The staging folder, which is the lock as well; one that a killed push left is taken over after ten minutes."""
    staging = root / STAGING
    try:
        if staging.exists() and time.time() - staging.lstat().st_mtime > STALE_SECONDS:
            shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
    except FileExistsError:
        raise Conflict("Another push is writing to this folder. Try again when it is done.") from None
    except OSError as error:
        raise Conflict(f"The folder can't be written ({error.strerror or error}); it is as it was before.") from error
    return staging


def _exchange(root: Path, staging: Path, files: Mapping[str, str], rename: Rename) -> Written:
    before = _present(root)
    for name in files:
        if name not in before and os.path.lexists(root / name):
            raise Conflict(f"{name} is there already and was not written by a push. Move it away.")
    written = tuple(sorted(name for name, text in files.items() if before.get(name) != text))
    removed = tuple(sorted(before.keys() - files.keys()))
    for number, name in enumerate(written):
        (staging / str(number)).write_text(files[name], encoding="utf-8", newline="")
    touched: list[str] = []
    try:
        for number, name in enumerate(written):
            touched.append(name)
            rename(staging / str(number), root / name)
        for name in removed:
            touched.append(name)
            (root / name).unlink()
    except BaseException:
        _restore(root, staging, {name: before.get(name) for name in touched})
        raise
    return Written(written, removed, len(files) - len(written))


def _present(root: Path) -> dict[str, str]:
    """The files of ours that are there, with their texts."""
    for name in FOLDERS:
        if not (root / name).is_symlink():
            (root / name).mkdir(exist_ok=True)
    return {path.relative_to(root).as_posix(): text for path in _yaml_files(root) if (text := _ours(path))}


def _ours(path: Path) -> str | None:
    try:
        text = _text(path)
    except YamlError:
        return None
    return text if text.startswith(git.MARK) else None


def _restore(root: Path, staging: Path, before: Mapping[str, str | None]) -> None:
    for name, text in before.items():
        if text is None:
            (root / name).unlink(missing_ok=True)
        else:
            (staging / "old").write_text(text, encoding="utf-8", newline="")
            (staging / "old").replace(root / name)


def _require_repository(root: Path, commit: Commit) -> None:
    if not commit.message.strip() or "\0" in commit.message:
        raise Invalid("A commit needs a message.", field=("message",))
    if commit.author is not None and not _is_author(commit.author):
        raise Invalid("An author is written `Name <address>`.", field=("author",))
    _git(root, "rev-parse", "--show-toplevel")


def _is_author(text: str) -> bool:
    name, _, address = text.partition(" <")
    return text.isprintable() and bool(name.strip()) and address.count(">") == 1 and address.endswith(">")


def _commit(root: Path, files: Mapping[str, str], commit: Commit) -> str | None:
    deleted = _git(root, "ls-files", "-z", "--deleted", "--", *FOLDERS).split("\0")
    paths = "\0".join(sorted({*files, *filter(None, deleted)}))
    if not paths:
        return None
    among = ("--pathspec-from-file=-", "--pathspec-file-nul")
    try:
        _git(root, "add", "--all", *among, given=paths)
        if not _git(root, "status", "--porcelain", "--untracked-files=no", "--", *FOLDERS).strip():
            return None
        author = [f"--author={commit.author}"] if commit.author else []
        _git(root, "commit", "--quiet", f"--message={commit.message}", *author, *among, given=paths)
    except Refusal as error:
        raise Conflict(f"The files are written, but not committed: {error.message}") from error
    return _git(root, "rev-parse", "HEAD").strip()


def _git(root: Path, *words: str, given: str | None = None) -> str:
    """What the `git` program prints; raises Conflict with what it complains of."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    told |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
    told |= {f"GIT_COMMITTER_{what}": text for what, text in _COMMITTER.items()}
    told |= {f"GIT_AUTHOR_{what}": text for what, text in _COMMITTER.items()}
    command: Sequence[str] = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; every word of a caller's stands behind its option
            command, input=given, capture_output=True, text=True, timeout=GIT_SECONDS, env=told, check=False
        )
    except FileNotFoundError:
        raise Invalid("There is no program `git` on this server. Install it, or push without a commit.") from None
    except subprocess.TimeoutExpired:
        raise Conflict(f"git did not end within {GIT_SECONDS} seconds. Look at the repository.") from None
    if done.returncode:
        raise Conflict(f"git {words[0]} says: {' '.join((done.stderr or done.stdout).split())[:500]}")
    return done.stdout


_COMMITTER = {"NAME": "Tessera GQL", "EMAIL": "tessera@localhost"}
