"""Settings of the console, and the secrets that sign its sessions."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting
from tessera_gql.config.secrets import SECRET
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
    oidc_client_id: str | None = setting(
        None,
        "Client that the console is at OIDC_ISSUER. With it people sign in there; the redirect address to register is "
        "PUBLIC_URL with /sign-in/callback.",
    )
    oidc_client_secret: Annotated[SecretStr | None, SECRET] = setting(
        None, "Secret of OIDC_CLIENT_ID; a public client has none."
    )
    oidc_login_scopes: str = setting("openid", "Scopes that the console asks of OIDC_ISSUER, separated by spaces.")
    _random_secret: bytes = PrivateAttr(default_factory=lambda: secrets.token_bytes(32))

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not PUBLIC_URL.fullmatch(value):
            raise ValueError("It is no address of a server. Write it as in https://data.example.com/tessera.")
        return value.rstrip("/") if value is not None else None

    @field_validator("oidc_login_scopes")
    @classmethod
    def _check_login_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("It has no `openid`, without which nobody is identified. Write it as in `openid email`.")
        return " ".join(value.split())

    @property
    def login_redirect_url(self) -> str:
        """The address to which the login service sends people back."""
        return f"{self.public_url or ''}/sign-in/callback"

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


def console_contradictions(settings: ConsoleSettings, oidc_issuer: str | None) -> Iterator[str]:
    """Describe settings of the console that contradict each other."""
    if settings.oidc_client_id is None:
        if settings.oidc_client_secret is not None:
            yield "OIDC_CLIENT_SECRET: it is the secret of OIDC_CLIENT_ID, which is not set. Set both, or none."
        return
    if oidc_issuer is None:
        yield "OIDC_CLIENT_ID: it is a client of OIDC_ISSUER, which is not set. Set it as well."
    if settings.public_url is None:
        yield "OIDC_CLIENT_ID: people come back to PUBLIC_URL, which is not set. Set it to the address that they type."
