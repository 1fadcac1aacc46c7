"""Addresses of channels: what a webhook of each format may have as its URL, and the mailbox of a `mailto:` address."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from tessera_gql.errors import Invalid
from tessera_gql.policy.enums import WebhookFormat

MAX_URL = 2_000
MAX_MAILBOX = 254
MAX_LOCAL_PART = 64
MAILTO = "mailto:"
MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""One address without a name, quotes or comments, so that it can't hold a second address or another header."""
REPOSITORY_PATH = re.compile(r"/[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?/?")


def clean_address(url: str, webhook_format: WebhookFormat) -> str:
    """Validate the URL of a webhook for its format. Whether it may be called is decided on each delivery."""
    if webhook_format is WebhookFormat.EMAIL:
        address = url if url.lower().startswith(MAILTO) else f"{MAILTO}{url}"
        return f"{MAILTO}{_require_mailbox(address[len(MAILTO) :])}"
    validate_url(url)
    if webhook_format is WebhookFormat.GITHUB_STATUS:
        _require_repository(url)
    return url


def validate_url(url: str) -> str:
    """Validate a URL: http or https, without credentials."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    is_clean = len(url) <= MAX_URL and all("!" <= char <= "~" for char in url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not is_clean:
        raise Invalid(
            f"{url[:100]!r} is not an address to post to. Write it as in https://example.com/hook.", field=("url",)
        )
    if parts.username is not None or parts.password is not None:
        raise Invalid("The address holds credentials. Leave them out: each post is signed instead.", field=("url",))
    return url


def is_mailbox(text: str) -> bool:
    """Return whether a text is one plain e-mail address."""
    is_short = len(text) <= MAX_MAILBOX and len(text.partition("@")[0]) <= MAX_LOCAL_PART
    return is_short and MAILBOX.fullmatch(text) is not None


def _require_mailbox(text: str) -> str:
    if not is_mailbox(text):
        raise Invalid(
            f"{text[:100]!r} is not one e-mail address. Write it as in mailto:data-team@example.com, without a name.",
            field=("url",),
        )
    return text


def _require_repository(url: str) -> None:
    parts = urlsplit(url)
    if not REPOSITORY_PATH.fullmatch(parts.path) or parts.query or parts.fragment:
        raise Invalid(
            f"{url[:100]!r} is no repository or organization of GitHub. Write it as in https://github.com/acme/shop.",
            field=("url",),
        )


def find_domain(mailbox: str) -> str:
    return mailbox.rpartition("@")[2].lower()


def is_domain_allowed(mailbox: str, domains: Collection[str]) -> bool:
    """Return whether e-mail may go to an address; no domains allow all."""
    return not domains or find_domain(mailbox) in domains


def find_host(url: str) -> str:
    """Return the host of an address, or the domain of a `mailto:` address."""
    if url.lower().startswith(MAILTO):
        return find_domain(url)
    return urlsplit(url).hostname or ""


def find_repository_path(url: str) -> str | None:
    """Return `owner/repository` of the address of a repository; None for that of an organization."""
    path = urlsplit(url).path.strip("/")
    return path if "/" in path else None
