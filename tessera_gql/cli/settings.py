"""The settings of this environment, for the commands that need them."""

from tessera_gql.cli.terminal import fail, is_stderr_terminal
from tessera_gql.config import BadSettings, Settings, hidden, load
from tessera_gql.config.observing import LogFormat


def read_settings() -> Settings:
    """Ends the program with every mistake if they can't be right."""
    try:
        return load()
    except BadSettings as error:
        mistakes = str(error).splitlines()
    if len(mistakes) == 1:
        raise fail(f"The settings can't be used: {mistakes[0]}")
    ended = fail(f"The settings can't be used, for {len(mistakes)} reasons:")
    for mistake in mistakes:
        fail(f"  {mistake}")
    raise ended


def configure_logging(settings: Settings) -> None:
    """For a process that goes on: what happens in it is logged as the settings say."""
    from tessera_gql.observe import logs  # noqa: PLC0415 - slow to import, and most commands log nothing

    is_automatic_json = settings.log_format is LogFormat.AUTO and not is_stderr_terminal()
    is_json = settings.log_format is LogFormat.JSON or is_automatic_json
    logs.configure(level=settings.log_level, is_json=is_json, secrets=hidden(settings))
