"""The server of the commands: its URL and key, from the environment or the last login."""

import json
import os
from pathlib import Path
from typing import NamedTuple, cast

import typer

from tessera_gql.client.endpoint import DEFAULT_URL

LAST_LOGIN = "the last `tessera login`"


class ChosenServer(NamedTuple):
    """The URL and key of a server, and where each of them comes from, for messages; empty for a default."""

    url: str
    key: str | None
    url_origin: str = ""
    key_origin: str = ""


def find_server() -> ChosenServer:
    """Find the URL and key in the environment, else in the last login. A key is sent to its own server only."""
    login = read_credentials()
    given_url, given_key = os.environ.get("TESSERA_URL"), os.environ.get("TESSERA_API_KEY")
    url = given_url or login.get("url") or DEFAULT_URL
    stored_key = login.get("api_key") if url == login.get("url") else None
    return ChosenServer(
        url,
        given_key or stored_key,
        "TESSERA_URL" if given_url else LAST_LOGIN if login.get("url") else "",
        "TESSERA_API_KEY" if given_key else LAST_LOGIN if stored_key else "",
    )


def credentials_path() -> Path:
    return Path(typer.get_app_dir("tessera")) / "credentials.json"


def read_credentials() -> dict[str, str]:
    """Read the URL and key of the last login; empty without one."""
    try:
        content: object = json.loads(credentials_path().read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, str]", content) if isinstance(content, dict) else {}
