"""`tessera config`: the settings in effect, with the source of each and without secrets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import print_json, print_line, print_note
from tessera_gql.config import Settings, find_source, read_environment, secrets

SETTING_PREFIXES = ("api_", "database_", "limit_", "log_", "metrics_", "oidc_", "rate_limit_", "webhook_")
"""Prefixes of setting names. An environment variable with such a prefix that is no setting is probably a typo."""


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting with its effective value and source; `value` is what JSON shows."""

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


def config(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Print the settings in effect and the source of each. Exit 2 and list every mistake if they are invalid."""
    effective_settings = list_effective_settings(read_settings())
    if as_json:
        values = {setting.name: {"value": setting.value, "source": setting.source} for setting in effective_settings}
        print_json(values)
        return
    widths = [max(len(getattr(setting, column)) for setting in effective_settings) for column in ("name", "text")]
    for setting in effective_settings:
        style = "dim" if setting.source == "default" else ""
        print_line((f"{setting.name:<{widths[0]}}  {setting.text:<{widths[1]}}  {setting.source}", style))
    for name in find_unknown_settings():
        print_note((f"{name.upper()} is no setting of Tessera GQL. Is it spelled right?", "yellow"))


def list_effective_settings(settings: Settings) -> list[EffectiveSetting]:
    secret_names = secrets.secret_names(Settings.model_fields)
    resolved = {
        "auth": "on" if settings.needs_keys else "off",
        "profile": "open" if settings.has_open_profile else "locked",
        "rate_limit_mutations": settings.rate_limit_mutations or "off",
        "rate_limit_cost": settings.rate_limit_cost or "off",
    }

    def read_value(name: str) -> Any:
        value = resolved.get(name, getattr(settings, name))
        if value is None or name not in secret_names:
            return str(value) if isinstance(value, Path) else value
        return secrets.mask(value)

    names = sorted(Settings.model_fields, key=lambda name: name.startswith("limit_"))
    return [EffectiveSetting(name.upper(), read_value(name), find_source(name)) for name in names]


def find_unknown_settings() -> list[str]:
    """Return names in the environment that look like settings but are none."""
    known_names = {*Settings.model_fields, *(f"{name}_file" for name in secrets.secret_names(Settings.model_fields))}
    return sorted(name for name in read_environment() if name.startswith(SETTING_PREFIXES) and name not in known_names)
