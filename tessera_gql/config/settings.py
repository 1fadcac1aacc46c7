"""All settings, how they are read from the environment, and how they must fit together."""

import importlib.util
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, NoDecode, SettingsConfigDict

from tessera_gql.config.channels import ChannelSettings, channel_contradictions
from tessera_gql.config.console import ConsoleSettings, console_contradictions
from tessera_gql.config.env_file import find_env_file
from tessera_gql.config.fields import setting
from tessera_gql.config.limits import LimitSettings
from tessera_gql.config.rate_limits import RateLimitSettings
from tessera_gql.config.secrets import SECRET, read_files, secret_names
from tessera_gql.config.secrets import secret_texts as texts_of_secret
from tessera_gql.config.server import ServerSettings
from tessera_gql.config.server import contradictions as server_contradictions
from tessera_gql.config.telemetry import Switch, TelemetrySettings
from tessera_gql.config.telemetry import contradictions as telemetry_contradictions
from tessera_gql.diff import Mode
from tessera_gql.store.encryption import parse_key
from tessera_gql.store.engine import DatabaseOptions


class Auth(StrEnum):
    """Values of AUTH: whether requests need a key."""

    OFF = "off"
    ON = "on"


class Profile(StrEnum):
    """Values of PROFILE: whether GraphiQL and introspection are served."""

    OPEN = "open"
    LOCKED = "locked"


class Executor(StrEnum):
    """Values of EXECUTOR: how queries are executed."""

    PUSHDOWN = "pushdown"
    PLANNED = "planned"
    REFERENCE = "reference"


class InvalidSettings(Exception):  # noqa: N818 - a refusal
    """The environment is invalid; the message lists every mistake on its own line."""


class Settings(ServerSettings, TelemetrySettings, ConsoleSettings, ChannelSettings, RateLimitSettings, LimitSettings):
    """All settings, named as the environment variables in lower case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    api_host: str = setting("127.0.0.1", "Address that the server listens on.")
    api_port: int = setting(8000, "Port that the server listens on; 0 picks a free one.", ge=0, le=65535)
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str], description="Web origins whose pages may call the API, separated by commas."
    )
    admin_key: Annotated[SecretStr | None, SECRET] = setting(
        None,
        "An administrator's key with every right, which is not stored in the database; sent as "
        "`Authorization: Bearer KEY`.",
        min_length=24,
    )
    secrets_key: Annotated[list[SecretStr], NoDecode, SECRET] = Field(
        default_factory=list[SecretStr],
        description="Key that encrypts the secrets of webhooks in the database, from `openssl rand -base64 32`. To "
        "rotate, put a new key before the old one, separated by a comma.",
    )
    auth: Auth | None = setting(
        None,
        "`on`: every request needs a key or token. `off`: every caller has every right; allowed on a "
        "loopback address only. Default: `off` on a loopback address without ADMIN_KEY and "
        "OIDC_ISSUER, otherwise `on`.",
    )
    profile: Profile | None = setting(
        None,
        "`open` enables GraphiQL, introspection and GET requests, `locked` disables them. Default: "
        "`locked` if AUTH is on, otherwise `open`.",
    )
    executor: Executor = setting(
        Executor.PUSHDOWN,
        "Executor of queries, all with the same results: `pushdown` executes level by level, and the database returns "
        "whole parts of a reply as JSON; `planned` executes level by level only; `reference` executes object by object "
        "as graphql-core does, many times slower.",
    )
    oidc_issuer: str | None = setting(
        None, "URL of an OIDC issuer whose JWTs are accepted; must equal the token's `iss` claim."
    )
    oidc_audience: str | None = setting(None, "Audience of this server, which the token's `aud` claim must contain.")
    oidc_jwks: str | None = setting(None, "Public keys of the OIDC issuer (JWKS): an https URL or a file.")
    oidc_team_claim: str = setting("team", "Claim of a token that names the caller's team.")
    oidc_scope_claim: str = setting(
        "scope", "Claim of a token that lists the caller's scopes: tessera:read, tessera:write, tessera:admin."
    )
    mcp: Switch = setting(
        Switch.OFF, "`on` serves tools for agents (MCP) at `/mcp`, with each caller's own key; needs the extra `mcp`."
    )
    git_sync_path: Path | None = setting(
        None, "Folder that contracts are pushed to and pulled from, usually in a git checkout."
    )
    default_compatibility_mode: Mode | None = setting(
        None,
        "Compatibility mode of new assets whose creator or dbt manifest names none. Default: `CONSUMER` for those of a "
        "dbt manifest, otherwise `BACKWARD`.",
    )
    webhook_url: Annotated[str | None, SECRET] = setting(None, "URL that every event is posted to.")
    webhook_secret: Annotated[SecretStr | None, SECRET] = setting(None, "Secret that signs the posts to WEBHOOK_URL.")
    webhook_allow_private: bool = setting(
        default=False,
        description="Allow webhooks to private and loopback addresses, for receivers in your own network.",
    )

    @field_validator("default_compatibility_mode", mode="before")
    @classmethod
    def _parse_mode(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

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

    @property
    def needs_keys(self) -> bool:
        """Whether requests need a key; they don't in development on a loopback address."""
        if self.auth is not None:
            return self.auth is Auth.ON
        return not is_loopback(self.api_host) or self.admin_key is not None or self.oidc_issuer is not None

    @property
    def database_options(self) -> DatabaseOptions:
        """The options of the database; a server that needs keys must also encrypt secrets."""
        keys = tuple(key.get_secret_value() for key in self.secrets_key)
        return replace(super().database_options, secrets_keys=keys, requires_secrets_key=self.needs_keys)

    @property
    def session_secrets(self) -> tuple[bytes, ...]:
        """The secrets that sign sessions of the console: the first signs, and each is accepted."""
        return self.derive_session_secrets(self.secrets_key)

    @property
    def has_open_profile(self) -> bool:
        """Whether GraphiQL, introspection and GET requests are enabled."""
        if self.profile is not None:
            return self.profile is Profile.OPEN
        return not self.needs_keys

    @property
    def effective_profile(self) -> Profile:
        return Profile.OPEN if self.has_open_profile else Profile.LOCKED


def load() -> Settings:
    """Load the settings from the environment; raise InvalidSettings with all mistakes at once."""
    try:
        env_file = find_env_file()
    except ValueError as error:
        raise InvalidSettings(str(error)) from None
    files = read_files(secret_names(Settings.model_fields), read_environment())
    errors = files.errors
    try:
        settings = Settings(_env_file=env_file, **files.values)  # type: ignore[arg-type,call-arg] # validated like values of the environment
    except ValidationError as invalid:
        for item in invalid.errors():
            errors.append(
                f"{'.'.join(map(str, item['loc'])).upper()}: {_describe_mistake(cast('Mapping[str, Any]', item))}"
            )
        raise InvalidSettings("\n".join(errors)) from None
    if errors := errors or list(_contradictions(settings)):
        raise InvalidSettings("\n".join(errors))
    return settings


def _describe_mistake(mistake: Mapping[str, Any]) -> str:
    """Describe an invalid value; of a secret, pydantic would count the items."""
    if mistake["type"] != "too_short":
        return str(mistake["msg"]).removeprefix("Value error, ")
    length, minimum = mistake["ctx"]["actual_length"], mistake["ctx"]["min_length"]
    return f"It has {length} characters and needs at least {minimum}. Make one with `openssl rand -hex 24`."


def secret_texts(settings: Settings) -> list[str]:
    """Return every secret text in the settings, which no log may contain."""
    values = (getattr(settings, name) for name in secret_names(Settings.model_fields))
    return [text for value in values if value is not None for text in texts_of_secret(value)]


def read_environment() -> Mapping[str, str | None]:
    """Read the environment variables, which override the file .env, by names in lower case."""
    return {**_env_file_source().env_vars, **EnvSettingsSource(Settings).env_vars}


def _env_file_source() -> DotEnvSettingsSource:
    return DotEnvSettingsSource(Settings, env_file=find_env_file())


def find_source(name: str) -> str:
    """Name the source of a setting's value: `environment`, `.env`, `default`, or the file that X_FILE names."""
    for location, source in (("environment", EnvSettingsSource(Settings)), (".env", _env_file_source())):
        if source.env_vars.get(name):
            return location
        if path := source.env_vars.get(f"{name}_file"):
            return f"file {path}"
    return "default"


def _contradictions(settings: Settings) -> Iterator[str]:
    """Describe settings that are valid by themselves but contradict each other."""
    if not settings.needs_keys and not is_loopback(settings.api_host):
        yield (
            f"AUTH: it is off, but {settings.api_host} can be reached from other machines, where anybody could change"
            " everything. Leave AUTH out, or listen on API_HOST=127.0.0.1."
        )
    if settings.mcp is Switch.ON and importlib.util.find_spec("mcp") is None:
        yield (
            "MCP: tools for agents need the extra `mcp`, which is not installed."
            " Install it with pip install 'tessera-gql[mcp]', or leave the setting out."
        )
    yield from server_contradictions(settings)
    yield from telemetry_contradictions(settings)
    yield from console_contradictions(settings, settings.oidc_issuer)
    yield from channel_contradictions(settings)
    if settings.oidc_issuer is not None:
        for name in ("oidc_audience", "oidc_jwks"):
            if getattr(settings, name) is None:
                yield f"{name.upper()}: it is needed beside OIDC_ISSUER. Without it no token could be checked."
        address = urlsplit(settings.oidc_issuer)
        if settings.oidc_client_id and address.scheme != "https" and not is_loopback(address.hostname or ""):
            yield "OIDC_ISSUER: people can't sign in there safely, as it is no https address. Give the one that is."
    elif settings.oidc_audience is not None or settings.oidc_jwks is not None:
        yield "OIDC_ISSUER: it is needed beside OIDC_AUDIENCE and OIDC_JWKS. Say whose tokens are good here."


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
