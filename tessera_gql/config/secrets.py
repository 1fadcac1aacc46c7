"""Secrets: which settings are one, how they are shown, and X_FILE, which names a file that holds X."""

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
    """Marks a setting that holds a secret, or may."""


SECRET = SecretMarker()


@dataclass
class SecretFiles:
    """What files said for the settings that are secrets."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    errors: list[str] = field(default_factory=list[str])


def names(fields: Mapping[str, FieldInfo]) -> list[str]:
    return [name for name, found in fields.items() if SECRET in found.metadata]


def read_files(settings: list[str], environment: Mapping[str, str | None]) -> SecretFiles:
    """`given` is the environment, in lower case."""
    files = SecretFiles()
    for name in settings:
        if not (path := environment.get(f"{name}_file")):
            continue
        try:
            files.values[name] = _content(name.upper(), path, is_given_twice=bool(environment.get(name)))
        except ValueError as mistake:
            files.errors.append(str(mistake))
    return files


def _content(name: str, path: str, *, is_given_twice: bool) -> str:
    """Raises ValueError with a sentence that names the setting, never what the file holds."""
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


def shown(value: object) -> str:
    """A secret as it may be read by anybody: an address without its password, anything else not at all."""
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
    """The words in a secret that no log may hold."""
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
    yield from (one for one in (url.password, *parameters) if isinstance(one, str) and one)
