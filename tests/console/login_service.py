"""A small OpenID Connect server: discovery, keys, an authorization page without a person, and tokens for codes."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conftest import START

KEY = RSAKey.generate_key(2048, {"kid": "login", "use": "sig"})
CLIENT, SECRET = "tessera-console", "a secret: with + and /"
AUDIENCE = "tessera"


@dataclass
class LoginServer:
    """What the server answers, and what it was asked; tests change the first and read the second."""

    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    """Claims of ID tokens that differ from the standard ones; None leaves one out."""
    access_claims: dict[str, Any] | None = None
    """Claims of the access token, if it is a JWT for this server."""
    discovery: dict[str, Any] = field(default_factory=dict[str, Any])
    posts_secret: bool = False
    is_public: bool = False
    """Whether the client has no secret, and names itself in the body."""
    signing_key: Any = field(default_factory=lambda: KEY)
    token_status: int = 200
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    exchanged: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    discovered: int = 0

    def describe(self) -> dict[str, Any]:
        self.discovered += 1
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post" if self.posts_secret else "client_secret_basic"
            ],
            **self.discovery,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Sign the person in, and return the address with the code."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Check a code as RFC 6749 and RFC 7636 demand, and return tokens for it once."""
        self.exchanged.append(form)
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not self.posts_secret and not self.is_public:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            name, secret = unquote(pair[0]), unquote(pair[2])
        if self.is_public:
            is_known = form.get("client_id") == CLIENT and "client_secret" not in form and not authorization
        else:
            is_known = (name, secret) == (CLIENT, SECRET)
        if not is_known:
            return 401, {"error": "invalid_client"}
        login_request = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            login_request is None
            or login_request["redirect_uri"] != form["redirect_uri"]
            or login_request["code_challenge"] != challenge
        ):
            return 400, {"error": "invalid_grant", "error_description": form["code"]}
        tokens: dict[str, Any] = {"token_type": "Bearer", "access_token": "opaque"}
        tokens["id_token"] = self.sign({"aud": CLIENT, "nonce": login_request["nonce"]} | self.claims)
        if self.access_claims is not None:
            tokens["access_token"] = self.sign({"aud": AUDIENCE} | self.access_claims)
        return self.token_status, tokens

    def sign(self, changed: dict[str, Any]) -> str:
        now = int(START.timestamp())
        values = {"iss": self.address, "sub": "ines@example.com", "iat": now, "exp": now + 600} | changed
        present = {name: value for name, value in values.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "login"}, present, self.signing_key)


@contextmanager
def login_server() -> Iterator[LoginServer]:
    """Run the server on a free port of this machine."""
    state = LoginServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/.well-known/openid-configuration"):
                self.reply(200, state.describe())
            elif parts.path == "/jwks":
                self.reply(200, {"keys": [KEY.as_dict(private=False)]})
            else:
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", state.authorize(query))
                self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.reply(*state.exchange(dict(parse_qsl(body)), self.headers.get("Authorization", "")))

        def reply(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
