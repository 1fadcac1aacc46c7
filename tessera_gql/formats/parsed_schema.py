"""The result and the error of all parsers of schema documents."""

from dataclasses import dataclass
from typing import Any

from tessera_gql.diff import Mode

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The draft in which all parsers write their schemas."""
MAX_LENGTH = 2_000_000


@dataclass(frozen=True)
class ParsedSchema:
    """The schema of one table, topic or message. `name` is as in the document, maybe only the last part of an fqn.

    `warnings` say which parts of the document were left out. `fault` says why the schema can't be read; it has no
    properties then, and a document with several schemas can still be read for its other ones.
    """

    name: str
    schema: Any
    guarantees: dict[str, Any] | None = None
    description: str | None = None
    version: str | None = None
    mode: Mode | None = None
    warnings: tuple[str, ...] = ()
    fault: str | None = None


class DocumentError(ValueError):
    """A document that can't be parsed; the message for the client says what is wrong and what to do."""


def check_length(text: str, kind: str) -> str:
    if len(text) > MAX_LENGTH:
        raise DocumentError(f"This {kind} has more than {MAX_LENGTH:,} characters. Split it.")
    return text
