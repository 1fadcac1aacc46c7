"""Explanations of files and folders that this process may not create or write: users, owners and the next step."""

import errno
import os
from pathlib import Path


def explain_denied(error: OSError, path: Path, setting: str) -> str:
    """Explain why a file or folder can't be used, in sentences that begin with its path; `setting` named it.

    The volume of a container or the folder of a service often belongs to another user than the process.
    """
    denied = (Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path).absolute()
    reason = f"{denied}: {error.strerror or error}."
    blocker = _find_blocker(denied)
    if error.errno == errno.EROFS:
        return f"{reason} Mount a volume at {blocker} that can be written, or set {setting} to another path."
    if error.errno in (errno.EACCES, errno.EPERM) and os.name == "posix":
        user, owner = os.geteuid(), blocker.stat().st_uid
        return (
            f"{reason} {blocker} belongs to user {owner}, and this process is user {user}. Change the owner"
            f" (chown {user} {blocker}), or set {setting} to another path."
        )
    return f"{reason} Check {setting}."


def _find_blocker(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists and that this process may look at."""
    for candidate in (path, *path.parents):
        try:
            candidate.stat()
        except OSError:
            continue
        return candidate
    return Path("/")
