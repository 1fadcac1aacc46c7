"""Settings of what an operator sees: metrics, logs, traces."""

import importlib.util
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.secrets import SECRET


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class TelemetrySettings(BaseSettings):
    metrics: Switch = Field(
        default=Switch.ON,
        description="`on` serves `/metrics` for Prometheus: to everybody where no keys are needed, otherwise to who has"
        " METRICS_KEY or a key with the scope ADMIN.",
    )
    metrics_key: Annotated[SecretStr | None, SECRET] = Field(
        default=None, min_length=24, description="A key that is good for `/metrics` and for nothing else."
    )
    log_format: LogFormat = Field(
        default=LogFormat.AUTO,
        description="`json`, `console` for people, or `auto`: console where stderr is a terminal, JSON elsewhere.",
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO, description="The least that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_slow_seconds: float = Field(
        default=1.0, ge=0, description="A query or mutation that took longer is logged as a warning."
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        description="Where traces are sent, by OTLP over HTTP, for example http://collector:4318; none without it.",
    )

    @property
    def logs_json(self) -> bool:
        """Whether log lines are JSON, with `auto` decided."""
        is_terminal = sys.stderr.isatty()  # noqa: TID251 - nothing is printed
        return self.log_format is LogFormat.JSON or (self.log_format is LogFormat.AUTO and not is_terminal)

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _check_collector_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("It is not an address. Write it as in http://collector:4318.")
        return value


def contradictions(settings: TelemetrySettings) -> Iterator[str]:
    if settings.otel_exporter_otlp_endpoint is not None and importlib.util.find_spec("opentelemetry.sdk") is None:
        yield (
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra `tracing`, which is not installed."
            " Install it with pip install 'tessera-gql[tracing]', or leave the setting out."
        )
    if settings.metrics is Switch.OFF and settings.metrics_key is not None:
        yield "METRICS_KEY: it opens nothing while METRICS is off. Leave one of the two out."
