"""What a form of the console is: its address, its stored mutation, its input, and the sentence after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tessera_gql.console.forms import InvalidForm, SentForm
from tessera_gql.console.pages import PathParams

ReadInput: TypeAlias = Callable[[PathParams, SentForm], dict[str, Any]]
DescribeResult: TypeAlias = Callable[[Mapping[str, Any]], str]

MAX_DIGITS = 6


@dataclass(frozen=True)
class IssuedSecret:
    """A token or a secret that is in one payload only, with the sentence that says what it is for."""

    value: str
    purpose: str


@dataclass(frozen=True)
class FormAction:
    """One form: the name of its mutation, its address, and the pages that have it, the first by default."""

    name: str
    path: str
    pages: tuple[str, ...]
    read_input: ReadInput
    describe_result: DescribeResult
    """Describes in one sentence what the payload says was done."""
    find_secret: Callable[[Mapping[str, Any]], IssuedSecret | None] | None = None
    """Finds the secret in a payload, which the page shows once; without one the form leads to its page again."""


def read_team(form: SentForm) -> dict[str, Any]:
    team = form.get("team")
    return {"team": {"id": team}} if team else {}


def read_row_version(form: SentForm) -> dict[str, Any]:
    """Read the row version that the page showed, so that a change since then is refused as stale."""
    text = form.get("row_version")
    return {"expectedRowVersion": int(text)} if text.isdecimal() and len(text) < 10 else {}


def read_number(form: SentForm, name: str) -> int | None:
    """Read a whole number; None for an empty field. Raises InvalidForm."""
    text = form.get(name)
    if not text:
        return None
    if not text.isdecimal() or len(text) > MAX_DIGITS:
        raise InvalidForm(f"{text[:40]!r} is no whole number. Write it in digits, as in 30.")
    return int(text)
