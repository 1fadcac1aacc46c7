"""The result and the error of all parsers of schema documents."""

from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 2_000_000


@dataclass(frozen=True)
class ParsedSchema:
    """The schema of one table, topic or message.

    `name` is spelled as in the document and may be only the last part of an fqn. `original` is the text, because no
    parser understands all of a document.
    """

    name: str
    schema: dict[str, Any]
    original: dict[str, str]
    guarantees: dict[str, Any] | None = None
    description: str | None = None
    version: str | None = None


class DocumentError(ValueError):
    """A document that can't be parsed; the message for the client says what is wrong and what to do."""


def check_length(text: str, kind: str) -> str:
    if len(text) > MAX_LENGTH:
        raise DocumentError(f"This {kind} has more than {MAX_LENGTH:,} characters. Split it.")
    return text
