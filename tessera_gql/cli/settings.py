"""Reading of settings and configuration of logging for commands."""

from tessera_gql.cli.terminal import fail, log_notes
from tessera_gql.config import InvalidSettings, Settings, load, secret_texts


def read_settings() -> Settings:
    """Read the settings; invalid ones end the command with a list of all mistakes."""
    try:
        return load()
    except InvalidSettings as error:
        mistakes = str(error).splitlines()
    if len(mistakes) == 1:
        raise fail(f"The settings can't be used: {mistakes[0]}")
    ended = fail(f"The settings can't be used, for {len(mistakes)} reasons:")
    for mistake in mistakes:
        fail(f"  {mistake}")
    raise ended


def configure_logging(settings: Settings) -> None:
    """Configure logging by the settings, for long-running processes."""
    from tessera_gql.telemetry import logs  # noqa: PLC0415 - slow to import, and most commands log nothing

    logs.configure(level=settings.log_level, is_json=settings.logs_json, secrets=secret_texts(settings))
    if settings.logs_json:
        log_notes()
