"""`tessera config`: the settings as this machine has them, each with where it comes from; secrets stay hidden."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import print_json, print_line, print_note
from tessera_gql.config import Settings, given, origin, secrets

FAMILIES = ("api_", "database_", "limit_", "log_", "metrics_", "oidc_", "rate_limit_", "webhook_")
"""How our settings begin: another name that begins so is probably a mistake."""


@dataclass(frozen=True)
class Line:
    """One setting: what holds, as words; `value` is what JSON shows."""

    name: str
    value: Any
    source: str

    @property
    def text(self) -> str:
        match self.value:
            case None | []:
                return "-"
            case list():
                return ",".join(map(str, self.value))
            case bool():
                return str(self.value).lower()
            case _:
                return str(self.value)


def config(as_json: bool = typer.Option(False, "--json", help="As one JSON object.")) -> None:
    """Print the settings in effect and where each comes from; exit 2 with every mistake if they can't be right."""
    lines = effective(read_settings())
    if as_json:
        found = {line.name: {"value": line.value, "source": line.source} for line in lines}
        print_json(found)
        return
    wide = [max(len(getattr(line, column)) for line in lines) for column in ("name", "text")]
    for line in lines:
        style = "dim" if line.source == "default" else ""
        print_line((f"{line.name:<{wide[0]}}  {line.text:<{wide[1]}}  {line.source}", style))
    for name in strange():
        print_note((f"{name.upper()} is no setting of Tessera GQL. Is it spelled right?", "yellow"))


def effective(found: Settings) -> list[Line]:
    hidden = secrets.names(Settings.model_fields)
    decided = {
        "auth": "on" if found.needs_keys else "off",
        "profile": "open" if found.is_open else "locked",
        "rate_limit_mutations": found.rate_limit_mutations or "off",
        "rate_limit_cost": found.rate_limit_cost or "off",
    }

    def value(name: str) -> Any:
        stated = decided.get(name, getattr(found, name))
        if stated is None or name not in hidden:
            return str(stated) if isinstance(stated, Path) else stated
        return secrets.shown(stated)

    names = sorted(Settings.model_fields, key=lambda name: name.startswith("limit_"))
    return [Line(name.upper(), value(name), origin(name)) for name in names]


def strange() -> list[str]:
    """Names in the environment that look like settings and are none."""
    known = {*Settings.model_fields, *(f"{name}_file" for name in secrets.names(Settings.model_fields))}
    return sorted(name for name in given() if name.startswith(FAMILIES) and name not in known)
