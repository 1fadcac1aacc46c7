"""The group of all commands: loads the command that is called, and turns every exception into one line."""

import gc
import sys
from functools import partial
from typing import Any

from typer.core import TyperGroup

from tessera_gql.cli.commands import COMMANDS, describe_command, load_command
from tessera_gql.cli.errors import report_error


class RootGroup(TyperGroup):
    """Root command group, whose commands are loaded when they are resolved."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name in COMMANDS:
            self.add_command(describe_command(name), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Resolve the name of a command, with the nearest names in the error of an unknown one, and load it."""
        name, command, arguments = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            command = load_command(name)
        gc.enable()  # the imports are done; see `main`
        return name, command, arguments

    def main(self, *args: Any, **options: Any) -> Any:
        run = partial(super().main, *args, **{**options, "standalone_mode": False})
        if not options.get("standalone_mode", True):
            return run()
        try:
            code = run()
        except Exception as error:  # noqa: BLE001 - the last place where it can be reported
            code = report_error(error)
        sys.exit(code or 0)
