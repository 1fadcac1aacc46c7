"""The command line `tessera`.

The module of a command is imported only when the command runs, because commands in CI must start fast and need no
server code.
"""

import gc
import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from tessera_gql.cli.errors import RootGroup
from tessera_gql.cli.exit_codes import EPILOG
from tessera_gql.cli.terminal import print_line, use_utf8

CONTRACTS_PANEL = "Contracts: commands for people, scripts and CI"
SERVER_PANEL = "Server: commands for operators"
VERSION_OPTION = "--version"

COMMANDS: dict[str, tuple[str, str, str]] = {
    "login": ("login", "login", CONTRACTS_PANEL),
    "logout": ("login", "logout", CONTRACTS_PANEL),
    "whoami": ("login", "whoami", CONTRACTS_PANEL),
    "publish": ("publish", "publish", CONTRACTS_PANEL),
    "impact": ("publish", "impact", CONTRACTS_PANEL),
    "retire": ("publish", "retire", CONTRACTS_PANEL),
    "diff": ("diff", "diff", CONTRACTS_PANEL),
    "export": ("export", "export", CONTRACTS_PANEL),
    "dbt": ("dbt", "app", CONTRACTS_PANEL),
    "hook": ("hooks", "app", CONTRACTS_PANEL),
    "github": ("github", "app", CONTRACTS_PANEL),
    "register": ("catalog", "register", CONTRACTS_PANEL),
    "deprecate": ("deprecations", "deprecate", CONTRACTS_PANEL),
    "unregister": ("catalog", "unregister", CONTRACTS_PANEL),
    "inbox": ("inbox", "inbox", CONTRACTS_PANEL),
    "ack": ("inbox", "ack", CONTRACTS_PANEL),
    "debts": ("debts", "debts", CONTRACTS_PANEL),
    "acknowledge-debt": ("debts", "acknowledge_debt", CONTRACTS_PANEL),
    "proposals": ("proposals", "proposals", CONTRACTS_PANEL),
    "proposal": ("proposals", "proposal", CONTRACTS_PANEL),
    "comment": ("proposals", "comment", CONTRACTS_PANEL),
    "publish-proposal": ("proposals", "publish_proposal", CONTRACTS_PANEL),
    "extend-proposal": ("proposals", "extend_proposal", CONTRACTS_PANEL),
    "withdraw": ("proposals", "withdraw", CONTRACTS_PANEL),
    "change-set": ("change_set", "app", CONTRACTS_PANEL),
    "watch": ("watch", "watch", CONTRACTS_PANEL),
    "team": ("catalog", "team_app", CONTRACTS_PANEL),
    "policy": ("ask_policy", "app", CONTRACTS_PANEL),
    "project": ("project", "app", CONTRACTS_PANEL),
    "asset": ("catalog", "asset_app", CONTRACTS_PANEL),
    "lineage": ("lineage", "lineage", CONTRACTS_PANEL),
    "contract": ("contract", "app", CONTRACTS_PANEL),
    "search": ("search", "search", CONTRACTS_PANEL),
    "usage": ("usage", "app", CONTRACTS_PANEL),
    "mcp": ("agents", "mcp", CONTRACTS_PANEL),
    "serve": ("serve", "serve", SERVER_PANEL),
    "worker": ("worker", "worker", SERVER_PANEL),
    "config": ("config", "config", SERVER_PANEL),
    "db": ("database", "app", SERVER_PANEL),
    "keys": ("keys", "app", SERVER_PANEL),
    "git": ("git", "app", SERVER_PANEL),
    "audit": ("audit", "app", SERVER_PANEL),
    "schema": ("serve", "schema", SERVER_PANEL),
}
"""Module, function or group, and help panel of each command."""


def build_app(command_name: str | None = None) -> typer.Typer:
    """Build the application with one command, or with all commands if the name is unknown."""
    app = typer.Typer(
        name="tessera",
        cls=RootGroup,
        help="Data contracts for a warehouse: a breaking change waits until the affected teams acknowledge it.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_handle_options)  # keeps typer from turning a single command into the whole application
    names = () if command_name == VERSION_OPTION else COMMANDS
    for name in [command_name] if command_name in COMMANDS else names:
        module, attribute, panel = COMMANDS[name]
        command = getattr(import_module(f"{__name__}.{module}"), attribute)
        if isinstance(command, typer.Typer):
            for registered in command.registered_commands:
                registered.epilog = EPILOG
            app.add_typer(command, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, epilog=EPILOG)(command)
    return app


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print_line(f"tessera {version('tessera-gql')}")
        raise typer.Exit


def _handle_options(
    _version: Annotated[
        bool, typer.Option(VERSION_OPTION, callback=_print_version, is_eager=True, help="Print the version and exit.")
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
    app = build_app(next(iter(sys.argv[1:]), None))
    gc.enable()
    app()
