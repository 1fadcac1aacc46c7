"""Read and write the folder of git files: completely or not at all, never through links or outside of it.

All functions block; call them in a thread.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tessera_gql.errors import Conflict, Invalid, Refusal
from tessera_gql.formats import git_files, yaml
from tessera_gql.formats.git_files import AssetFile, TeamFile
from tessera_gql.formats.yaml import YamlError

FOLDERS = {"teams": TeamFile, "assets": AssetFile}
STAGING = ".tessera-push"
STALE_SECONDS = 600
GIT_SECONDS = 120
MAX_ERRORS = 10
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

Rename = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Commit:
    """A commit to create; `author` is written `Name <address>` as in git."""

    message: str
    author: str | None = None


@dataclass(frozen=True)
class PushResult:
    """The result of a push: sorted paths inside the folder, and the id of the commit if there was one to create."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    commit: str | None = None


def load_files(folder: Path) -> list[tuple[str, TeamFile | AssetFile]]:
    """Read all files by path; raises Invalid with file and line of up to ten errors."""
    root = _resolve_root(folder)
    if not any((root / name).is_dir() for name in FOLDERS):
        raise Invalid(f"{folder} holds no folder `teams` or `assets`, so there is nothing to pull. Push first.")
    files: list[tuple[str, TeamFile | AssetFile]] = []
    errors: list[str] = []
    for path in _yaml_files(root):
        name = path.relative_to(root).as_posix()
        try:
            files.append((name, _parse_file(path)))
        except YamlError as error:
            errors.append(f"{name}, {error}")
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise Invalid("\n".join(["These files can't be pulled, and nothing was changed:", *errors]))
    return files


def _parse_file(path: Path) -> TeamFile | AssetFile:
    content = git_files.parse_file(_read_text(path))
    if type(content) is not FOLDERS[path.parent.name]:
        raise YamlError(f"this file describes no {path.parent.name.removesuffix('s')}; move it", 2)
    return content


def _read_text(path: Path) -> str:
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
        subfolder = root / name
        if subfolder.is_symlink():
            raise Invalid(f"{name} is a symbolic link. Links are not followed: make it a folder.")
        for path in sorted(subfolder.iterdir()) if subfolder.is_dir() else ():
            if path.suffix != git_files.FILE_SUFFIX or path.name.startswith("."):
                continue
            if path.is_symlink() or not path.is_file():
                raise Invalid(f"{name}/{path.name} is a link or no file. Links are not followed: put the file there.")
            yield path


def _resolve_root(folder: Path) -> Path:
    try:
        return folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"The folder {folder} can't be opened. Create it, or set GIT_SYNC_PATH to another.") from None


def save_files(
    folder: Path, files: Mapping[str, str], commit: Commit | None = None, *, rename: Rename = os.replace
) -> PushResult:
    """Make the folder hold exactly these files of a push, all or nothing; files of others stay."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"The folder {folder} can't be created: {error.strerror}.") from None
    root = _resolve_root(folder)
    if commit is not None:
        _require_repository(root, commit)
    staging = _create_staging(root)
    try:
        result = _replace_files(root, staging, files, rename)
    except OSError as error:
        raise Conflict(f"The folder can't be written ({error.strerror or error}); it is as it was before.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if commit is None:
        return result
    return PushResult(result.changed, result.removed, result.unchanged, _commit(root, files, commit))


def _create_staging(root: Path) -> Path:
    """Create the staging folder, which is also the lock; after ten minutes it counts as left by a killed push."""
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


def _replace_files(root: Path, staging: Path, files: Mapping[str, str], rename: Rename) -> PushResult:
    before = _load_present(root)
    for name in files:
        if name not in before and os.path.lexists(root / name):
            raise Conflict(f"{name} is there already and was not written by a push. Move it away.")
    changed = tuple(sorted(name for name, text in files.items() if before.get(name) != text))
    removed = tuple(sorted(before.keys() - files.keys()))
    for number, name in enumerate(changed):
        (staging / str(number)).write_text(files[name], encoding="utf-8", newline="")
    replaced: list[str] = []
    try:
        for number, name in enumerate(changed):
            replaced.append(name)
            rename(staging / str(number), root / name)
        for name in removed:
            replaced.append(name)
            (root / name).unlink()
    except BaseException:
        _restore(root, staging, {name: before.get(name) for name in replaced})
        raise
    return PushResult(changed, removed, len(files) - len(changed))


def _load_present(root: Path) -> dict[str, str]:
    """Load the files of earlier pushes with their texts."""
    for name in FOLDERS:
        if not (root / name).is_symlink():
            (root / name).mkdir(exist_ok=True)
    return {path.relative_to(root).as_posix(): text for path in _yaml_files(root) if (text := _read_own_text(path))}


def _read_own_text(path: Path) -> str | None:
    try:
        text = _read_text(path)
    except YamlError:
        return None
    return text if text.startswith(git_files.FILE_HEADER) else None


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
    pathspec = ("--pathspec-from-file=-", "--pathspec-file-nul")
    try:
        _git(root, "add", "--all", *pathspec, stdin=paths)
        if not _git(root, "status", "--porcelain", "--untracked-files=no", "--", *FOLDERS).strip():
            return None
        author = [f"--author={commit.author}"] if commit.author else []
        _git(root, "commit", "--quiet", f"--message={commit.message}", *author, *pathspec, stdin=paths)
    except Refusal as error:
        raise Conflict(f"The files are written, but not committed: {error.message}") from error
    return _git(root, "rev-parse", "HEAD").strip()


def _git(root: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run `git` and return its output; raises Conflict with its error message."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
    for role in ("COMMITTER", "AUTHOR"):
        environment |= {f"GIT_{role}_{name}": text for name, text in _COMMITTER.items()}
    command: Sequence[str] = ["git", "-C", str(root), *arguments]
    try:
        process = subprocess.run(  # noqa: S603 - a fixed program; values of callers follow their options
            command, input=stdin, capture_output=True, text=True, timeout=GIT_SECONDS, env=environment, check=False
        )
    except FileNotFoundError:
        raise Invalid("There is no program `git` on this server. Install it, or push without a commit.") from None
    except subprocess.TimeoutExpired:
        raise Conflict(f"git did not end within {GIT_SECONDS} seconds. Look at the repository.") from None
    if process.returncode:
        raise Conflict(f"git {arguments[0]} says: {' '.join((process.stderr or process.stdout).split())[:500]}")
    return process.stdout


_COMMITTER = {"NAME": "Tessera GQL", "EMAIL": "tessera@localhost"}
