"""The command line `tessera`."""

import gc
import os
import signal
import sys
from types import ModuleType
from typing import Annotated, cast

import typer

from tessera_gql.cli.exit_codes import EPILOG
from tessera_gql.cli.root_group import RootGroup
from tessera_gql.cli.terminal import print_line, use_utf8

COMPLETION_VARIABLE = "_TESSERA_COMPLETE"
"""Environment variable that the scripts of typer set when a shell asks for completions."""


def build_app() -> typer.Typer:
    """Build the application. Its group loads a command when the command is called."""
    app = typer.Typer(
        name="tessera",
        cls=RootGroup,
        help="Data contracts for a warehouse: a breaking change waits until the affected teams acknowledge it.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_handle_options)
    return app


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from importlib.metadata import version  # noqa: PLC0415 - a third of the time of a start

        print_line(f"tessera {version('tessera-gql')}")
        raise typer.Exit


def _handle_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def _exit_as_terminated(number: int, _frame: object) -> None:
    """Exit at once, as every other process does on SIGTERM, with the code that shells report.

    The kernel ignores a signal without a handler for the first process of a container, which would be killed after a
    grace period instead. Servers and workers replace this handler when they have something to finish.
    """
    os._exit(128 + number)


def main() -> None:
    """Run the console script `tessera`."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _exit_as_terminated)
    use_utf8()
    gc.disable()  # imports create hundreds of thousands of objects and free none: a fifth of the time of a start
    if COMPLETION_VARIABLE in os.environ:
        # A completion needs no values of options; typer's conversion of values imports pydantic, a third of the time.
        sys.modules["typer._adapters"] = cast("ModuleType", None)
    build_app()()
