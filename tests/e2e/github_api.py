"""The parts of GitHub's API that report on a pull request, on a port of this machine: comments and commit statuses."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "token-of-the-run"
PAGE_SIZE = 2
"""So small that a client must follow links to find its comment."""


@dataclass
class GitHub:
    """What has been written: comments by pull request, and statuses by commit, the latest last."""

    url: str = ""
    pulls: dict[int, str] = field(default_factory=dict[int, str])
    """The commits at the heads of open pull requests."""
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    def add_comment(self, number: int, body: str) -> dict[str, Any]:
        comments = self.comments.setdefault(number, [])
        identity = sum(map(len, self.comments.values())) + 1
        comments.append({"id": identity, "body": body, "html_url": f"https://github.com/comments/{identity}"})
        return comments[-1]

    def update_comment(self, identity: int, body: str) -> dict[str, Any]:
        (comment,) = [item for items in self.comments.values() for item in items if item["id"] == identity]
        comment["body"] = body
        return comment


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def do_GET(self) -> None:
        if not self._is_authorized():
            return self._reply(401, {"message": "Bad credentials"})
        if self.path.startswith("/repos/acme/shop/pulls?"):
            pulls = [{"number": number, "head": {"sha": commit}} for number, commit in self.github.pulls.items()]
            return self._reply(200, pulls)
        if match := re.fullmatch(r"/repos/acme/shop/commits/([0-9a-f]{40})/status", self.path):
            return self._reply(200, {"statuses": self.github.statuses.get(match[1], [])[-1:]})
        match = re.fullmatch(r"/repos/acme/shop/issues/(\d+)/comments\?.*?(?:&page=(\d+))?", self.path)
        if match is None:
            return self._reply(404, {"message": "Not Found"})
        number, page = int(match[1]), int(match[2] or 1)
        comments = self.github.comments.get(number, [])
        link = f'<{self.github.url}/repos/acme/shop/issues/{number}/comments?per_page=100&page={page + 1}>; rel="next"'
        has_next = len(comments) > page * PAGE_SIZE
        items = comments[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return self._reply(200, items, {"Link": link} if has_next else {})

    def do_POST(self) -> None:
        body = self._read_body()
        if not self._is_authorized():
            return self._reply(401, {"message": "Bad credentials"})
        if match := re.fullmatch(r"/repos/acme/shop/issues/(\d+)/comments", self.path):
            return self._reply(201, self.github.add_comment(int(match[1]), body["body"]))
        if match := re.fullmatch(r"/repos/acme/shop/statuses/([0-9a-f]{40})", self.path):
            self.github.statuses.setdefault(match[1], []).append(body)
            return self._reply(201, body)
        return self._reply(404, {"message": "Not Found"})

    def do_PATCH(self) -> None:
        body = self._read_body()
        match = re.fullmatch(r"/repos/acme/shop/issues/comments/(\d+)", self.path)
        if not self._is_authorized() or match is None:
            return self._reply(404 if match is None else 401, {"message": "Not Found"})
        return self._reply(200, self.github.update_comment(int(match[1]), body["body"]))

    def _is_authorized(self) -> bool:
        return self.headers["Authorization"] == f"Bearer {TOKEN}"

    def _read_body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name of the base class
        """Print nothing."""


@contextmanager
def serving_github() -> Iterator[GitHub]:
    github = GitHub()
    handler = type("Handler", (_Handler,), {"github": github})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    github.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
