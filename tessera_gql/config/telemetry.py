"""Settings of metrics, logs and traces."""

import importlib.util
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting
from tessera_gql.config.secrets import SECRET


class Switch(StrEnum):
    """Values of a setting that is on or off."""

    ON = "on"
    OFF = "off"


class LogFormat(StrEnum):
    """Values of LOG_FORMAT; `auto` depends on whether stderr is a terminal."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """Values of LOG_LEVEL, lowest first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class TelemetrySettings(BaseSettings):
    """The settings of metrics, logs and traces."""

    metrics: Switch = setting(
        Switch.ON,
        "`on` serves Prometheus metrics at `/metrics`: to every caller if AUTH is off, otherwise to "
        "METRICS_KEY and to keys with the scope ADMIN.",
    )
    metrics_key: Annotated[SecretStr | None, SECRET] = setting(
        None, "Key that gives access to `/metrics` and nothing else.", min_length=24
    )
    worker_probes: Switch = setting(
        Switch.OFF,
        "`on` makes `tessera worker` answer `/healthz` and `/readyz` at API_HOST and API_PORT, for probes; `off` makes "
        "it listen on no port.",
    )
    log_format: LogFormat = setting(
        LogFormat.AUTO,
        "Format of log lines: `json`, `console`, or `auto` for console on a terminal and JSON elsewhere.",
    )
    log_level: LogLevel = setting(LogLevel.INFO, "Lowest level that is logged: `debug`, `info`, `warning` or `error`.")
    log_slow_seconds: float = setting(
        1.0, "Seconds after which a query or mutation is logged as a slow one, with a warning.", ge=0
    )
    otel_exporter_otlp_endpoint: str | None = setting(
        None,
        "URL that traces are exported to by OTLP over HTTP, such as http://collector:4318; without it "
        "there are no traces.",
    )

    @property
    def logs_json(self) -> bool:
        """Whether log lines are JSON; `auto` means JSON unless stderr is a terminal."""
        is_terminal = sys.stderr.isatty()  # noqa: TID251 - nothing is printed
        return self.log_format is LogFormat.JSON or (self.log_format is LogFormat.AUTO and not is_terminal)

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _check_collector_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("It is not an address. Write it as in http://collector:4318.")
        return value


def contradictions(settings: TelemetrySettings) -> Iterator[str]:
    """Describe settings that contradict each other or need a package that is not installed."""
    if settings.otel_exporter_otlp_endpoint is not None and importlib.util.find_spec("opentelemetry.sdk") is None:
        yield (
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra `tracing`, which is not installed."
            " Install it with pip install 'tessera-gql[tracing]', or leave the setting out."
        )
    if settings.metrics is Switch.OFF and settings.metrics_key is not None:
        yield "METRICS_KEY: it opens nothing while METRICS is off. Leave one of the two out."
