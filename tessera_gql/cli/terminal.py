"""What a person at a terminal reads: answers on stdout, all else on stderr, no traceback for what can go wrong."""

import json
from collections.abc import Generator
from contextlib import contextmanager

import typer
from rich.console import Console

from tessera_gql.config import BadSettings, Settings, hidden, load
from tessera_gql.errors import Refusal, Unavailable

out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

BAD_INPUT = 2


def settings() -> Settings:
    """Those of the environment; ends the program with every mistake on a line if they can't be right."""
    try:
        return load()
    except BadSettings as error:
        mistakes = "\n".join(f"  {line}" for line in str(error).splitlines())
        raise fail(f"The settings can't be used:\n{mistakes}") from None


def printable(text: str) -> str:
    """Text from elsewhere, where nothing steers the terminal or has no bytes: such characters as JSON escapes them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def logged(found: Settings) -> None:
    """For a process that goes on: what happens in it is logged as the settings say."""
    from tessera_gql.observe import logs  # noqa: PLC0415 - slow to import, and most commands log nothing

    logs.configure(level=found.log_level, is_json=found.logs_json, secrets=hidden(found))


def fail(message: str, code: int = BAD_INPUT) -> typer.Exit:
    err.print(printable(message), style="red", markup=False)
    return typer.Exit(code)


@contextmanager
def told() -> Generator[None]:
    """Turns what can be expected to go wrong into one sentence and an exit code."""
    try:
        yield
    except Refusal as error:
        raise fail(error.message) from None
    except Unavailable as error:
        raise fail(error.message, code=3) from None
