"""The file `.env` in the current folder, which may hold settings."""

import os
from pathlib import Path

NAME = ".env"


def find_env_file() -> str | None:
    """Return the name of the file, or None if there is none. Raise ValueError if it is there and can't be read.

    A user who may not look into the folder has no such file: containers and `sudo -u` run commands with other users.
    """
    file = Path(NAME)
    try:
        file.stat()
    except OSError:
        return None
    try:
        file.read_text(encoding="utf-8")
    except IsADirectoryError:
        return None
    except UnicodeDecodeError:
        raise ValueError(f"{NAME}: {file.absolute()} is not text in UTF-8.") from None
    except OSError as error:
        raise ValueError(
            f"{NAME}: {file.absolute()} can't be read by {describe_user()}: {error.strerror or error}."
            " Change its owner or mode, or start in another folder."
        ) from None
    return NAME


def describe_user() -> str:
    """Name the user of this process by its number, which containers and file systems know."""
    return f"user {os.geteuid()}" if hasattr(os, "geteuid") else "this user"
