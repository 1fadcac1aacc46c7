"""Every setting: one environment variable each, its default and its meaning. Read once, at the start."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, NoDecode, SettingsConfigDict

from tessera_gql.config import observing, running, secrets
from tessera_gql.config.limits import LimitSettings
from tessera_gql.config.observing import TelemetrySettings
from tessera_gql.config.running import ServerSettings
from tessera_gql.config.secrets import SECRET
from tessera_gql.store.encryption import parse_key
from tessera_gql.store.engine import Options

RATE = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)")


class Auth(StrEnum):
    OFF = "off"
    ON = "on"


class Profile(StrEnum):
    OPEN = "open"
    LOCKED = "locked"


class Executor(StrEnum):
    PLANNED = "planned"
    REFERENCE = "reference"


class BadSettings(Exception):  # noqa: N818 - what it says, all mistakes at once
    """The environment can't be right; the message lists every mistake on a line of its own."""


class Settings(ServerSettings, TelemetrySettings, LimitSettings):
    """Names are those of the environment variables, in any case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    api_host: str = Field(default="127.0.0.1", description="The address the server listens on.")
    api_port: int = Field(default=8000, ge=0, le=65535, description="The port it listens on; 0 picks a free one.")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str], description="Web origins that may call the API, separated by commas."
    )
    admin_key: Annotated[SecretStr | None, SECRET] = Field(
        default=None,
        min_length=24,
        description="A key with every right that is not in the database, sent as `Authorization: Bearer KEY`.",
    )
    secrets_key: Annotated[list[SecretStr], NoDecode, SECRET] = Field(
        default_factory=list[SecretStr],
        description="What the secrets of webhooks are encrypted with in the database: the output of"
        " `openssl rand -base64 32`. To rotate, put a new key before the old one, separated by a comma.",
    )
    auth: Auth | None = Field(
        default=None,
        description="`on`: every request needs a key. `off`: everybody may do everything, on a loopback address only."
        " By default off on a loopback address without ADMIN_KEY and OIDC_ISSUER, and on otherwise.",
    )
    profile: Profile | None = Field(
        default=None,
        description="`open` serves GraphiQL, introspection and GET, `locked` none of them."
        " By default locked where keys are needed, and open where not.",
    )
    executor: Executor = Field(
        default=Executor.PLANNED,
        description="`planned` answers queries level by level, `reference` one object after the other, as graphql-core"
        " does: the same answers in many times the time.",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Whose tokens (JWTs) are good here beside keys: their `iss`, exactly."
    )
    oidc_audience: str | None = Field(default=None, description="What their `aud` must name: this server.")
    oidc_jwks: str | None = Field(default=None, description="The issuer's public keys: an https address, or a file.")
    oidc_team_claim: str = Field(default="team", description="The claim that names the caller's team.")
    oidc_scope_claim: str = Field(
        default="scope",
        description="The claim that lists what the caller may do: tessera:read, tessera:write, tessera:admin.",
    )
    rate_limit_mutations: str | None = Field(
        default="600/minute", description="How many mutations a key may call; `off` for any number."
    )
    rate_limit_cost: str | None = Field(
        default="100000/minute",
        description="How many objects the answers to a key may hold, estimated before they run; `off` for any number.",
    )
    git_sync_path: Path | None = Field(default=None, description="The folder contracts are pushed to and pulled from.")
    webhook_url: Annotated[str | None, SECRET] = Field(default=None, description="Where every event is posted to.")
    webhook_secret: Annotated[SecretStr | None, SECRET] = Field(
        default=None, description="What those posts are signed with."
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Lets webhooks reach private and loopback addresses: receivers in one's own network.",
    )
    reminder_days: Annotated[list[int], NoDecode] = Field(
        default_factory=lambda: [3, 1],
        description="How many days before a proposal runs out the silent teams are reminded, separated by commas;"
        " `off` for never.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("secrets_key", mode="before")
    @classmethod
    def _parse_secrets_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        keys = [part.strip() for part in value.split(",") if part.strip()]
        for key in keys:
            parse_key(key)
        return keys

    @field_validator("reminder_days", mode="before")
    @classmethod
    def _parse_days(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        days = [] if value == "off" else [part.strip() for part in value.split(",") if part.strip()]
        if not all(day.isdecimal() and 0 < int(day) <= 366 for day in days):
            raise ValueError("Write days, 1 to 366, separated by commas, for example 3,1, or `off`.")
        return [int(day) for day in days]

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook_url(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/@]+(/|$)", value):
            raise ValueError("It is not an address to post to. Write it as in https://example.com/hook.")
        return value

    @field_validator("oidc_jwks")
    @classmethod
    def _check_jwks(cls, value: str | None) -> str | None:
        if value is None or not value.startswith("http://") or is_loopback(urlsplit(value).hostname or ""):
            return value
        raise ValueError("Keys that come over http could be anybody's. Give an https address, or a file.")

    @field_validator("rate_limit_mutations", "rate_limit_cost")
    @classmethod
    def _check_rate(cls, value: str | None) -> str | None:
        if value is None or value == "off":
            return None
        if not RATE.fullmatch(value):
            raise ValueError("Write a number per second, minute, hour or day, for example 600/minute, or `off`.")
        return value

    @property
    def needs_keys(self) -> bool:
        """Otherwise: development on one's own machine."""
        if self.auth is not None:
            return self.auth is Auth.ON
        return not is_loopback(self.api_host) or self.admin_key is not None or self.oidc_issuer is not None

    @property
    def options(self) -> Options:
        """With the keys for secrets; a server that anybody else can reach does not store them in plain."""
        keys = tuple(key.get_secret_value() for key in self.secrets_key)
        return replace(super().options, secrets_keys=keys, requires_secrets_key=self.needs_keys)

    @property
    def is_open(self) -> bool:
        """Whether GraphiQL, introspection and GET are to be had."""
        if self.profile is not None:
            return self.profile is Profile.OPEN
        return not self.needs_keys


def load() -> Settings:
    """The settings of this environment; raises BadSettings with all mistakes at once."""
    files = secrets.read_files(secrets.names(Settings.model_fields), given())
    errors = files.errors
    try:
        settings = Settings(**files.values)  # type: ignore[arg-type] # checked as what the environment says is
    except ValidationError as error:
        errors += [f"{'.'.join(map(str, one['loc'])).upper()}: {_strip_prefix(one['msg'])}" for one in error.errors()]
        raise BadSettings("\n".join(errors)) from None
    if errors := errors or list(_contradictions(settings)):
        raise BadSettings("\n".join(errors))
    return settings


def hidden(settings: Settings) -> list[str]:
    """Every secret in these settings: what no log may hold."""
    values = (getattr(settings, name) for name in secrets.names(Settings.model_fields))
    return [word for value in values if value is not None for word in secrets.secret_texts(value)]


def given() -> Mapping[str, str | None]:
    """What the environment says, and before it the file .env, by names in lower case."""
    return {**DotEnvSettingsSource(Settings).env_vars, **EnvSettingsSource(Settings).env_vars}


def origin(name: str) -> str:
    """Where the value of a setting is from: `environment`, `.env`, `default`, or the file that X_FILE names."""
    for location, source in (("environment", EnvSettingsSource(Settings)), (".env", DotEnvSettingsSource(Settings))):
        if source.env_vars.get(name):
            return location
        if path := source.env_vars.get(f"{name}_file"):
            return f"file {path}"
    return "default"


def _contradictions(settings: Settings) -> Iterator[str]:
    """Settings that are right by themselves and wrong together."""
    if not settings.needs_keys and not is_loopback(settings.api_host):
        yield (
            f"AUTH: it is off, but {settings.api_host} can be reached from other machines, where anybody could change"
            " everything. Leave AUTH out, or listen on API_HOST=127.0.0.1."
        )
    yield from running.contradictions(settings)
    yield from observing.contradictions(settings)
    if settings.oidc_issuer is not None:
        for name in ("oidc_audience", "oidc_jwks"):
            if getattr(settings, name) is None:
                yield f"{name.upper()}: it is needed beside OIDC_ISSUER. Without it no token could be checked."
    elif settings.oidc_audience is not None or settings.oidc_jwks is not None:
        yield "OIDC_ISSUER: it is needed beside OIDC_AUDIENCE and OIDC_JWKS. Say whose tokens are good here."


def _strip_prefix(message: str) -> str:
    return message.removeprefix("Value error, ")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
