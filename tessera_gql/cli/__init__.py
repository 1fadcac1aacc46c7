"""`tessera`: the command line. A command is a shell around a verb: reads words, runs one thing, says what came.

A command's module is imported when it is asked for: those that CI runs a thousand times a day load no server.
"""

import sys
from importlib import import_module

import typer

from tessera_gql.cli.errors import Program
from tessera_gql.cli.exit_codes import EPILOG
from tessera_gql.cli.terminal import use_utf8

USE = "Contracts: for people, scripts and CI"
RUN = "The server: for those who run one"

COMMANDS: dict[str, tuple[str, str, str]] = {
    "login": ("login", "login", USE),
    "logout": ("login", "logout", USE),
    "whoami": ("login", "whoami", USE),
    "publish": ("ci", "publish", USE),
    "impact": ("ci", "impact", USE),
    "diff": ("diff", "diff", USE),
    "export": ("export", "export", USE),
    "dbt": ("dbt", "app", USE),
    "register": ("catalog", "register", USE),
    "unregister": ("catalog", "unregister", USE),
    "inbox": ("proposals", "inbox", USE),
    "ack": ("proposals", "ack", USE),
    "proposals": ("proposals", "proposals", USE),
    "proposal": ("proposals", "proposal", USE),
    "publish-proposal": ("proposals", "publish_proposal", USE),
    "withdraw": ("proposals", "withdraw", USE),
    "watch": ("watch", "watch", USE),
    "team": ("catalog", "team_app", USE),
    "asset": ("catalog", "asset_app", USE),
    "serve": ("serve", "serve", RUN),
    "worker": ("worker", "worker", RUN),
    "config": ("config", "config", RUN),
    "db": ("database", "app", RUN),
    "keys": ("keys", "app", RUN),
    "git": ("git", "app", RUN),
    "audit": ("audit", "app", RUN),
    "schema": ("serve", "schema", RUN),
}
"""Each command: its module here, the function or group in it, and its place in the help."""


def program(wanted: str | None = None) -> typer.Typer:
    """With that command alone if there is such a one, else with all."""
    app = typer.Typer(
        name="tessera",
        cls=Program,
        help="Data contracts as a graph: a breaking change waits until the teams it hurts have answered.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_top)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        module, attribute, panel = COMMANDS[name]
        found = getattr(import_module(f"{__name__}.{module}"), attribute)
        if isinstance(found, typer.Typer):
            for command in found.registered_commands:
                command.epilog = EPILOG
            app.add_typer(found, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, epilog=EPILOG)(found)
    return app


def _top() -> None:
    """Makes a group even of one command."""


def main() -> None:
    """The console script."""
    use_utf8()
    program(next(iter(sys.argv[1:]), None))()
