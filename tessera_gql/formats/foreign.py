"""What every foreign format is read into. The original text is kept beside: no reader understands all of it."""

from dataclasses import dataclass
from typing import Any

LONGEST = 2_000_000


@dataclass(frozen=True)
class Described:
    """One table, topic or message. `name` is as the document spells it: a hint for an fqn, perhaps its last part."""

    name: str
    schema: dict[str, Any]
    original: dict[str, str]
    guarantees: dict[str, Any] | None = None
    description: str | None = None
    version: str | None = None


class ForeignError(ValueError):
    """A document that cannot be read; the message says what, where if known, and what would do."""


def bounded(text: str, what: str) -> str:
    if len(text) > LONGEST:
        raise ForeignError(f"This {what} has more than {LONGEST:,} characters. Split it.")
    return text
