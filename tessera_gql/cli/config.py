"""`tessera config`: the settings in effect, with the source of each and without secrets."""

from pathlib import Path
from typing import Any, NamedTuple

from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import JsonOption, format_cell, print_json, print_line, print_note
from tessera_gql.config import Settings, find_source, read_environment, secrets

SETTING_PREFIXES = ("api_", "database_", "limit_", "log_", "metrics_", "oidc_", "rate_limit_", "webhook_")
"""Prefixes of setting names. An environment variable with such a prefix that is no setting is probably a typo."""


class EffectiveSetting(NamedTuple):
    """One setting with its effective value and source; a secret is masked."""

    name: str
    value: Any
    source: str


def config(as_json: JsonOption = False) -> None:
    """Print the settings in effect and the source of each. Exit 2 and list every mistake if they are invalid."""
    settings = list_effective_settings(read_settings())
    if as_json:
        print_json({setting.name: {"value": setting.value, "source": setting.source} for setting in settings})
        return
    rows = [(setting.name, format_cell(setting.value), setting.source) for setting in settings]
    name_width, value_width, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    for name, value, source in rows:
        style = "dim" if source == "default" else ""
        print_line((f"{name:<{name_width}}  {value:<{value_width}}  {source}", style))
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
