"""Completion of asset and team names in the shell, from the server of the commands.

A shell waits for the completion at every press of the key, so it loads neither the library nor its dependencies, keeps
names for minutes, waits for a server for less than a second, and is silent when there is none.
"""

from __future__ import annotations

import json
import os
import re
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tessera_gql.cli.servers import find_server
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.errors import TesseraError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAMES = 100
"""Names that one completion offers."""
MAX_PREFIXES = 50
"""Prefixes in the cache of a server; the oldest go first."""
MAX_RESPONSE_BYTES = 1_000_000
WAIT_SECONDS = 0.8
FRESH_SECONDS = 300
"""Time for which names are offered without asking the server again."""
AWAY_SECONDS = 30
"""Time for which a server that has not answered is not asked again."""
SAFE_NAME = re.compile(r"[\w.@/+][\w.@/+-]*")
"""Names in which no shell sees anything but a word. Others are not offered: a completed line is executed as it is."""


def complete_fqn(incomplete: str) -> list[str]:
    """List the assets of the server whose fqn begins with what is typed."""
    return _complete("assets", "fqn", incomplete)


def complete_team(incomplete: str) -> list[str]:
    """List the teams of the server whose name begins with what is typed."""
    return _complete("teams", "name", incomplete)


def _complete(field: str, name: str, prefix: str) -> list[str]:
    if prefix and not SAFE_NAME.fullmatch(prefix):
        return []
    try:
        server = find_server()
        endpoint = Endpoint(server.url, server.key)
    except TesseraError:
        return []
    cache = NameCache(endpoint)
    names = cache.find(field, prefix)
    if names is None:
        page = _load_page(endpoint, field, name, prefix)
        names = page[0] if page else []
        cache.store(field, prefix, names, is_complete=page is not None and page[1], is_away=page is None)
    return [item for item in names if item.startswith(prefix) and SAFE_NAME.fullmatch(item)]


class NameCache:
    """The names that a server has sent to one key, by the prefix for which they were asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        owner = sha256(f"{endpoint.url}\n{endpoint.api_key}".encode()).hexdigest()[:32]
        base = os.environ.get("XDG_CACHE_HOME")
        folder = Path(base) if base else Path.home() / ".cache"
        self._path = folder / "tessera" / f"names-{owner}.json"
        self._entries = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content: object = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        entries = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
        now = time.time()
        return {key: entry for key, entry in entries.items() if _is_entry(entry) and 0 <= entry["until"] - now <= 3600}

    def find(self, field: str, prefix: str) -> Sequence[str] | None:
        """Find the names for a prefix, also among all names of a shorter one; None if the server must be asked."""
        for length in range(len(prefix), -1, -1):
            entry = self._entries.get(f"{field}:{prefix[:length]}")
            if entry and (length == len(prefix) or entry["is_complete"] or entry["is_away"]):
                return cast("list[str]", entry["names"])
        return None

    def store(self, field: str, prefix: str, names: Sequence[str], *, is_complete: bool, is_away: bool) -> None:
        """Store names in the file of the cache, which only its owner reads. Without a folder nothing is stored."""
        until = time.time() + (AWAY_SECONDS if is_away else FRESH_SECONDS)
        # A server that is away answers no other prefix either.
        key = f"{field}:{'' if is_away else prefix}"
        entries = {name: entry for name, entry in self._entries.items() if name != key}
        entries[key] = {"names": list(names), "until": until, "is_complete": is_complete, "is_away": is_away}
        content = json.dumps(dict([*entries.items()][-MAX_PREFIXES:]))
        temporary_path = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(temporary_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(content)
            temporary_path.replace(self._path)
        except OSError:
            return


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"names": list(names), "until": float() | int(), "is_complete": bool(), "is_away": bool()}:
            return all(isinstance(name, str) for name in names)
        case _:
            return False


def _load_page(endpoint: Endpoint, field: str, name: str, prefix: str) -> tuple[list[str], bool] | None:
    """Load names and whether they are all; None if the server does not answer in time, or not as it should."""
    from threading import Thread  # noqa: PLC0415 - names in the cache need none of these

    responses: list[bytes] = []
    arguments = f"first: {MAX_NAMES}, filter: {{ {name}: {{ startsWith: $prefix }} }}"
    selection = f"{{ {field}({arguments}) {{ nodes {{ {name} }} pageInfo {{ hasNextPage }} }} }}"
    document = f"query Complete($prefix: String!) {selection}"
    body = json.dumps({"query": document, "variables": {"prefix": prefix}}).encode()
    thread = Thread(target=_post, args=(endpoint, body, responses), daemon=True)
    thread.start()
    thread.join(WAIT_SECONDS)  # a name server or a slow answer may take longer than any timeout of a socket
    try:
        connection: Any = json.loads(responses[0])["data"][field]
        return [str(node[name]) for node in connection["nodes"]], not connection["pageInfo"]["hasNextPage"]
    except (LookupError, TypeError, ValueError):
        return None


def _post(endpoint: Endpoint, body: bytes, responses: list[bytes]) -> None:
    """Post a request and append the response. No redirect is followed: another server must not receive the key."""
    from http.client import HTTPException  # noqa: PLC0415
    from urllib import request as requests  # noqa: PLC0415

    opener = requests.OpenerDirector()
    for handler in (
        requests.ProxyHandler(),
        requests.HTTPHandler(),
        requests.HTTPSHandler(),
        requests.HTTPErrorProcessor(),
        requests.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    headers = {"Content-Type": "application/json", "Accept": "application/json", **endpoint.authorization_headers}
    request = requests.Request(endpoint.graphql_url, body, headers)  # noqa: S310 - its URL is one of http or https
    try:
        if (response := opener.open(request, timeout=WAIT_SECONDS)) is not None:
            with response:
                responses.append(response.read(MAX_RESPONSE_BYTES))
    except (OSError, ValueError, HTTPException):
        return
