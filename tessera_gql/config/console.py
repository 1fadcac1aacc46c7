"""Settings of the console, and the secrets that sign its sessions."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting
from tessera_gql.config.telemetry import Switch

PUBLIC_URL = re.compile(r"https?://[^\s/?#@]+(?:/[\w.~%/-]*)?")
PURPOSE = b"tessera console sessions"


class ConsoleSettings(BaseSettings):
    """The settings of the pages for people."""

    console: Switch = setting(Switch.ON, "`on` serves the console, the pages for people, at `/`; `off` does not.")
    console_session_hours: float = setting(
        12, "Hours after which a person signs in to the console again.", ge=0.1, le=24 * 31
    )
    public_url: str | None = setting(
        None,
        "Address at which people and proxies reach the server, such as https://data.example.com/tessera. With https, "
        "cookies are sent over https only; its path may or may not be stripped by the proxy.",
    )
    _random_secret: bytes = PrivateAttr(default_factory=lambda: secrets.token_bytes(32))

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not PUBLIC_URL.fullmatch(value):
            raise ValueError("It is no address of a server. Write it as in https://data.example.com/tessera.")
        return value.rstrip("/") if value is not None else None

    @property
    def public_path(self) -> str:
        """The path of PUBLIC_URL, without a slash at its end; empty without one."""
        return urlsplit(self.public_url or "").path

    @property
    def is_public_https(self) -> bool:
        return (self.public_url or "").startswith("https://")

    def derive_session_secrets(self, secrets_key: Sequence[SecretStr]) -> tuple[bytes, ...]:
        """Derive the secrets of sessions from SECRETS_KEY, the newest first.

        Without SECRETS_KEY there is one random secret, which the processes of a server share, as they are forked after
        it was made. Sessions then end when the server stops.
        """
        keys = [key.get_secret_value().encode() for key in secrets_key]
        return tuple(hmac.digest(key, PURPOSE, hashlib.sha256) for key in keys) or (self._random_secret,)
