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
from tessera_gql.formats.git_files import AssetFile, GitFile, PolicyFile, TeamFile
from tessera_gql.formats.yaml import YamlError
from tessera_gql.store.file_access import explain_denied

FOLDERS = {"teams": TeamFile, "assets": AssetFile, "policies": PolicyFile}
NOUNS = {"teams": "team", "assets": "asset", "policies": "policy"}
SETTING = "GIT_SYNC_PATH"
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
    """The result of a push: sorted paths inside the folder, and the id of the commit if there was one to create.

    `unknown` are the files of teams and assets that the database does not have.
    """

    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unknown: tuple[str, ...]
    unchanged: int
    commit: str | None = None


def load_files(folder: Path) -> list[tuple[str, GitFile]]:
    """Read all files by path; raises Invalid with file and line of up to ten errors."""
    root = _resolve_root(folder)
    if not any((root / name).is_dir() for name in FOLDERS):
        raise Invalid(f"{folder} holds no folder `teams` or `assets`, so there is nothing to pull. Push first.")
    files: list[tuple[str, GitFile]] = []
    errors: list[str] = []
    for path in _yaml_files(root):
        name = path.relative_to(root).as_posix()
        try:
            files.append((name, _parse_file(name, _read_text(path))))
        except YamlError as error:
            errors.append(f"{name}, {error}")
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise Invalid("\n".join(["These files can't be pulled, and nothing was changed:", *errors]))
    return files


def _parse_file(name: str, text: str) -> GitFile:
    content = git_files.parse_file(text)
    folder = name.split("/", maxsplit=1)[0]
    if type(content) is not FOLDERS[folder]:
        raise YamlError(f"this file describes no {NOUNS[folder]}; move it", 2)
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
    """Yield the YAML files of all folders and of the folders in them, without hidden ones."""
    for name in FOLDERS:
        if (root / name).is_symlink():
            raise Invalid(f"{name} is a symbolic link. Links are not followed: make it a folder.")
        if (root / name).is_dir():
            yield from _walk(root, root / name)


def _walk(root: Path, folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        is_yaml = path.suffix.lower() in git_files.READ_SUFFIXES
        if path.name.startswith("."):
            continue
        if path.is_symlink() and (is_yaml or path.is_dir()):
            name = path.relative_to(root).as_posix()
            raise Invalid(f"{name} is a link. Links are not followed: put the file or the folder there.")
        if path.is_dir():
            yield from _walk(root, path)
        elif is_yaml and path.is_file():
            yield path


def _resolve_root(folder: Path) -> Path:
    try:
        return folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"The folder {folder} can't be opened. Create it, or set GIT_SYNC_PATH to another.") from None


def save_files(
    folder: Path,
    files: Mapping[str, str],
    commit: Commit | None = None,
    *,
    prune: bool = False,
    rename: Rename = os.replace,
) -> PushResult:
    """Write the files of a push by their default paths, all or nothing. A file that moved is updated where it is.

    With `prune`, the files that a push wrote of other teams and assets are removed.
    """
    if prune and not files:
        raise Conflict("The database has no team and no asset, so that every file would be removed. Nothing was done.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"The folder {folder} can't be created: {explain_denied(error, folder, SETTING)}") from None
    root = _resolve_root(folder)
    if commit is not None:
        _require_repository(root, commit)
    staging = _create_staging(root)
    try:
        plan = _plan_push(root, files, prune=prune)
        _replace_files(root, staging, plan, rename)
    except OSError as error:
        raise Conflict(f"The folder is as it was before: {explain_denied(error, root, SETTING)}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    commit_id = None if commit is None else _commit(root, plan.texts, commit)
    changed = tuple(sorted(plan.changed))
    return PushResult(changed, plan.removed, plan.unknown, len(files) - len(changed), commit_id)


@dataclass(frozen=True)
class _PushPlan:
    """What a push does: the texts of all its files by path, and those that were there before."""

    before: Mapping[str, str]
    texts: Mapping[str, str]
    removed: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def changed(self) -> dict[str, str]:
        return {name: text for name, text in self.texts.items() if self.before.get(name) != text}


def _plan_push(root: Path, files: Mapping[str, str], *, prune: bool) -> _PushPlan:
    before, paths = _load_present(root, files)
    texts: dict[str, str] = {}
    for default_path, text in files.items():
        name = paths.get(default_path, default_path)
        if name not in before and os.path.lexists(root / name):
            raise Conflict(f"{name} is there already and is not the file of a team or asset. Move it away.")
        if default_path not in paths and name in before:
            raise Conflict(f"{name} is there already, for another team or asset. Rename it.")
        texts[name] = text
    unknown = sorted(before.keys() - texts.keys())
    removed = tuple(name for name in unknown if prune and before[name].startswith(git_files.FILE_HEADER))
    return _PushPlan(before, texts, removed, tuple(name for name in unknown if name not in removed))


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
        raise Conflict(f"The folder can't be written: {explain_denied(error, root, SETTING)}") from error
    return staging


def _replace_files(root: Path, staging: Path, plan: _PushPlan, rename: Rename) -> None:
    changed = sorted(plan.changed)
    for number, name in enumerate(changed):
        (staging / str(number)).write_text(plan.texts[name], encoding="utf-8", newline="")
    replaced: list[str] = []
    try:
        for number, name in enumerate(changed):
            replaced.append(name)
            rename(staging / str(number), root / name)
        for name in plan.removed:
            replaced.append(name)
            (root / name).unlink()
    except BaseException:
        _restore(root, staging, {name: plan.before.get(name) for name in replaced})
        raise


def _load_present(root: Path, files: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Load the texts of the files of teams and assets by path, and their paths by default path.

    Raises Conflict for two files of the same, and for a file of an earlier push that can't be read: it has edits that
    a push would lose.
    """
    for name in FOLDERS:
        if not (root / name).is_symlink():
            (root / name).mkdir(exist_ok=True)
    texts: dict[str, str] = {}
    paths: dict[str, str] = {}
    errors: list[str] = []
    for path in _yaml_files(root):
        name = path.relative_to(root).as_posix()
        try:
            text = _read_own_text(path)
            default_path = _find_default_path(name, text, files)
        except YamlError as error:
            errors.append(f"{name}, {error}")
            continue
        if default_path in paths:
            errors.append(f"{name}, line 1: the same team or asset is in {paths[default_path]}")
        elif text is not None and default_path is not None:
            texts[name], paths[default_path] = text, name
    if errors:
        raise Conflict("\n".join(["Nothing was written, because of these files:", *errors[:MAX_ERRORS]]))
    return texts, paths


def _read_own_text(path: Path) -> str | None:
    try:
        return _read_text(path)
    except YamlError:
        return None


def _find_default_path(name: str, text: str | None, files: Mapping[str, str]) -> str | None:
    """Return the default path of the team or asset in a file; None for another file. Raises YamlError."""
    if text is None or files.get(name) == text:
        return None if text is None else name
    try:
        return git_files.default_path(_parse_file(name, text))
    except YamlError:
        if text.startswith(git_files.FILE_HEADER):
            raise
        return None


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
