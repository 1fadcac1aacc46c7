"""Settings of the channels of messages: the mail server, and the API of GitHub."""

import ipaddress
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from tessera_gql.config.fields import setting
from tessera_gql.config.secrets import SECRET
from tessera_gql.policy.channel_addresses import is_mailbox

GITHUB_COM = "https://api.github.com"
API_URL = re.compile(r"https?://[^\s/?#@]+(?:/[\w.~%/-]*)?")
DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class SmtpSecurity(StrEnum):
    """Values of SMTP_SECURITY: how the connection to the mail server is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class ChannelSettings(BaseSettings):
    """The settings of the channels of messages."""

    smtp_host: str | None = setting(None, "Mail server that webhooks of the format EMAIL send by; without it none do.")
    smtp_port: int = setting(587, "Port of SMTP_HOST: 587 for `starttls`, often 465 for `tls`.", ge=1, le=65535)
    smtp_security: SmtpSecurity = setting(
        SmtpSecurity.STARTTLS,
        "Encryption to SMTP_HOST: `starttls`, `tls` from the first byte, or `none` for a relay in your own network.",
    )
    smtp_username: str | None = setting(None, "User of SMTP_HOST; without one the server sends without signing in.")
    smtp_password: Annotated[SecretStr | None, SECRET] = setting(None, "Password of SMTP_USERNAME.")
    smtp_from: str | None = setting(None, "Sender address of e-mails, such as tessera@example.com.")
    smtp_domains: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str],
        description="Domains to which e-mail may go, separated by commas; all if it is not set.",
    )
    github_api_url: str = setting(
        GITHUB_COM,
        "API of GitHub for commit statuses; of an Enterprise Server, https://HOST/api/v3. Tokens go only there.",
    )

    @field_validator("smtp_from")
    @classmethod
    def _check_sender(cls, value: str | None) -> str | None:
        if value is not None and not is_mailbox(value):
            raise ValueError("It is not one e-mail address. Write it as in tessera@example.com, without a name.")
        return value

    @field_validator("smtp_domains", mode="before")
    @classmethod
    def _split_domains(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        domains = [part.strip().lower().removeprefix("@") for part in value.split(",") if part.strip()]
        for domain in domains:
            if not DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain} is no domain. Write them as in example.com,example.org.")
        return domains

    @field_validator("github_api_url")
    @classmethod
    def _check_api_url(cls, value: str) -> str:
        if not API_URL.fullmatch(value):
            raise ValueError("It is no address of an API. Write it as in https://github.example.com/api/v3.")
        return value.rstrip("/")


def channel_contradictions(settings: ChannelSettings) -> Iterator[str]:
    """Describe settings of the channels that contradict each other."""
    if settings.smtp_host is None:
        for name in ("smtp_from", "smtp_username", "smtp_password"):
            if getattr(settings, name) is not None:
                yield f"SMTP_HOST: it is needed beside {name.upper()}. Name the mail server."
    elif settings.smtp_from is None:
        yield "SMTP_FROM: it is needed beside SMTP_HOST. Set the address from which e-mails come."
    if (settings.smtp_username is None) != (settings.smtp_password is None):
        yield "SMTP_USERNAME and SMTP_PASSWORD: one of them is missing. Set both, or none."
    if (
        settings.smtp_password
        and settings.smtp_security is SmtpSecurity.NONE
        and not _is_local(settings.smtp_host or "")
    ):
        yield "SMTP_SECURITY: `none` would send SMTP_PASSWORD in the clear. Use `starttls` or `tls`."
    if settings.github_api_url.startswith("http://") and not _is_local(
        urlsplit(settings.github_api_url).hostname or ""
    ):
        yield "GITHUB_API_URL: over http, tokens could be read on the way. Give an https address."


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
