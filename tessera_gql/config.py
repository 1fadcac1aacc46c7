"""Every setting: one environment variable each, its default and its meaning. Read once, at the start."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tessera_gql.store.engine import driver_url


class BadSettings(Exception):  # noqa: N818 - what it says, all mistakes at once
    """The environment can't be right; the message lists every mistake on a line of its own."""


class Settings(BaseSettings):
    """Names are those of the environment variables, in any case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    database_url: str = Field(
        default="sqlite:///tessera.db",
        description="Where everything is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
    api_host: str = Field(default="127.0.0.1", description="The address the server listens on.")
    api_port: int = Field(default=8000, ge=0, le=65535, description="The port it listens on; 0 picks a free one.")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str], description="Web origins that may call the API, separated by commas."
    )
    admin_key: SecretStr | None = Field(
        default=None,
        min_length=24,
        description="A key with every right, sent as `Authorization: Bearer KEY`. Without it the server is open to all,"
        " and starts on a loopback address only.",
    )
    git_sync_path: Path | None = Field(default=None, description="The folder contracts are pushed to and pulled from.")
    webhook_url: str | None = Field(default=None, description="Where every event is posted to.")
    webhook_secret: SecretStr | None = Field(default=None, description="What those posts are signed with.")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _speaks(cls, value: str) -> str:
        driver_url(value)
        return value

    @property
    def is_open(self) -> bool:
        """No keys: development on one's own machine."""
        return self.admin_key is None


def load() -> Settings:
    """The settings of this environment; raises BadSettings with all mistakes at once."""
    try:
        found = Settings()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc'])).upper()}: {_said(one['msg'])}" for one in error.errors()]
        raise BadSettings("\n".join(lines)) from None
    if found.is_open and not is_loopback(found.api_host):
        raise BadSettings(
            f"API_HOST: {found.api_host} can be reached from other machines, and without ADMIN_KEY anybody could change"
            " everything. Set ADMIN_KEY (24 characters or more), or listen on 127.0.0.1."
        )
    return found


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
