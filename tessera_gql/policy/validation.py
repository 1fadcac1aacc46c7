"""Validate and normalize names, texts and metadata; each check returns the cleaned value or raises Invalid."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tessera_gql.diff import canonical_json
from tessera_gql.errors import Invalid

MAX_NAME = 200
MAX_FQN = 1_000
MAX_FQN_BYTES = 2_400
"""Limit for the normalized fqn: an index entry of PostgreSQL holds 2,700 bytes."""
MAX_KEY = 500
COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
MAX_TEXT = 20_000
MAX_METADATA_BYTES = 64_000

SEGMENT_PATTERN = re.compile(r"[\w$@#+*-]+(?: [\w$@#+*-]+)*")


def format_moment(moment: datetime) -> str:
    """Format a moment for a message: `2026-01-31 12:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def uniqueness_key(name: str) -> str:
    """The key by which names are unique: trimmed, without case, in one Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name.strip()).casefold())


def clean_team_name(text: str) -> str:
    """Validate a team's name; trims it and composes its characters, so that names that look alike are equal."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise Invalid("A team needs a name, for example data-platform.", field=("name",))
    if len(name) > MAX_NAME:
        raise Invalid(f"The name has {len(name)} characters; {MAX_NAME} is the limit.", field=("name",))
    if any(unicodedata.category(char).startswith("C") for char in name):
        raise Invalid("The name has control or invisible characters. Use letters, digits and marks.", field=("name",))
    return name


def clean_fqn(text: str) -> str:
    """Validate a fully qualified name: two or more names joined by dots, as in `analytics.core.orders`."""
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > MAX_FQN:
        raise Invalid(f"The fqn has {len(name)} characters; {MAX_FQN} is the limit.", field=("fqn",))
    if (size := len(uniqueness_key(name).encode())) > MAX_FQN_BYTES:
        raise Invalid(f"The fqn has {size} bytes in UTF-8; {MAX_FQN_BYTES} is the limit.", field=("fqn",))
    parts = name.split(".")
    if len(parts) < 2 or not all(SEGMENT_PATTERN.fullmatch(part) for part in parts):
        raise Invalid(
            f"{name[:100]!r} is not a fully qualified name. Join at least two names (letters, digits, _ $ - @ # + *)"
            " with dots, for example analytics.core.orders.",
            field=("fqn",),
        )
    return name


def find_invalid_fqns(fqns: Iterable[str]) -> dict[str, str]:
    """The reasons why fully qualified names are invalid, by name; valid ones are left out."""
    reasons: dict[str, str] = {}
    for fqn in fqns:
        try:
            clean_fqn(fqn)
        except Invalid as error:
            reasons[fqn] = error.message
    return reasons


def clean_text(value: str | None, name: str) -> str | None:
    """Validate free text; empty text becomes None."""
    if value is None or not value.strip():
        return None
    if len(value) > MAX_TEXT:
        raise Invalid(f"`{name}` has {len(value)} characters; {MAX_TEXT} is the limit.", field=(name,))
    return value.strip()


def clean_change_set_key(text: str) -> str:
    """Validate the natural key of a change set, such as `github.com/org/repo#4711`."""
    key = unicodedata.normalize("NFC", text).strip()
    if not key:
        raise Invalid("A change set needs a key, for example github.com/org/repo#4711.", field=("key",))
    if len(key) > MAX_KEY:
        raise Invalid(f"The key has {len(key)} characters; {MAX_KEY} is the limit.", field=("key",))
    if any(unicodedata.category(char).startswith("C") for char in key):
        raise Invalid("The key has control or invisible characters. Leave them out.", field=("key",))
    return key


def clean_url(value: str | None, name: str) -> str | None:
    """Validate a link for people: an absolute http or https address. Empty text becomes None."""
    url = clean_text(value, name)
    if url is None or re.fullmatch(r"https?://[^\s/?#]+\S*", url):
        return url
    raise Invalid(f"`{name}` must be an http or https address, such as https://example.com/pulls/1.", field=(name,))


def clean_commit(value: str | None, name: str) -> str | None:
    """Validate the id of a commit: 7 to 64 hexadecimal digits, which become lower case. Empty text becomes None."""
    commit = clean_text(value, name)
    if commit is None or COMMIT.fullmatch(commit):
        return commit and commit.lower()
    raise Invalid(
        f"`{name}` must be the id of a commit, 7 to 64 hexadecimal digits, as `git rev-parse HEAD` prints it.",
        field=(name,),
    )


def clean_metadata(value: Any) -> dict[str, Any]:
    """Validate metadata: a JSON object of limited size; None becomes an empty object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid("`metadata` must be a JSON object.", field=("metadata",))
    document: dict[str, Any] = value
    try:
        size = len(canonical_json(document).encode())
    except (TypeError, ValueError, RecursionError):
        raise Invalid(
            "`metadata` is not plain JSON: it nests too deeply, or has a number or a text that JSON does not know.",
            field=("metadata",),
        ) from None
    if size > MAX_METADATA_BYTES:
        raise Invalid(
            f"`metadata` is larger than {MAX_METADATA_BYTES:,} bytes. Link to it instead.", field=("metadata",)
        )
    return document
