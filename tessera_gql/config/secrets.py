"""Secret settings: which ones they are, how they are masked, and X_FILE, the file that holds the setting X."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

HIDDEN = "***"
MAX_BYTES = 64 * 1024
SECRET_PARAMETER = re.compile(r"pass|secret|token|key|sig", re.IGNORECASE)


class SecretMarker:
    """Marks a setting that may hold a secret."""


SECRET = SecretMarker()


@dataclass
class SecretFiles:
    """Values of secret settings that were read from files, and messages about files that can't be used."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    errors: list[str] = field(default_factory=list[str])


def secret_names(fields: Mapping[str, FieldInfo]) -> list[str]:
    """Return the names of the secret settings."""
    return [name for name, info in fields.items() if SECRET in info.metadata]


def read_files(settings: list[str], environment: Mapping[str, str | None]) -> SecretFiles:
    """Read the settings whose X_FILE is set. The environment has its names in lower case."""
    files = SecretFiles()
    for name in settings:
        if not (path := environment.get(f"{name}_file")):
            continue
        try:
            files.values[name] = _read_content(name.upper(), path, is_given_twice=bool(environment.get(name)))
        except ValueError as error:
            files.errors.append(str(error))
    return files


def _read_content(name: str, path: str, *, is_given_twice: bool) -> str:
    """Read one file; raise ValueError with a message that names the setting but never quotes the file."""
    if is_given_twice:
        raise ValueError(f"{name}_FILE: {name} is given as well. Leave one of the two out.")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode().strip()
    except OSError as error:
        raise ValueError(f"{name}_FILE: {path} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}_FILE: {path} is not text in UTF-8.") from None
    if not text:
        raise ValueError(f"{name}_FILE: {path} is empty. Write the secret into it, on one line.")
    if len(content) > MAX_BYTES or len(text.splitlines()) > 1:
        raise ValueError(f"{name}_FILE: {path} has more than one line. Write only the secret into it.")
    return text


def mask(value: object) -> str:
    """Mask a secret for output: a URL without its password, and `***` for anything else."""
    if isinstance(value, list):
        return HIDDEN
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return HIDDEN
    if url.drivername in ("http", "https"):
        return f"{url.drivername}://{url.host or ''}/{HIDDEN}"
    query = {name: HIDDEN if SECRET_PARAMETER.search(name) else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def secret_texts(value: object) -> Iterator[str]:
    """Return the parts of a secret that no log may contain, such as the password of a URL."""
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from secret_texts(item)
        return
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        yield text
        return
    if url.drivername in ("http", "https"):
        yield text
    parameters = [value for name, value in url.query.items() if SECRET_PARAMETER.search(name)]
    yield from (text for text in (url.password, *parameters) if isinstance(text, str) and text)
