"""Real servers, one for each database and way of authentication, and the tables of their results."""

import asyncio
import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.e2e.server import Running, serving
from tests.ops.postgres import Postgres, sql, until

ISSUER, AUDIENCE = "https://login.example.com/", "tessera"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
ADMIN_KEY = "an-administrators-key-for-this-test"
TEAM = """mutation ($name: String!, $key: String) {
  createTeam(input: {name: $name, idempotencyKey: $key}) { team { id name } errors { message } }
}"""
NEW_KEY = """mutation ($team: String!) {
  createApiKey(input: {name: "ci", scopes: [ADMIN], team: {name: $team}}) { token apiKey { id } errors { message } }
}"""


@dataclass(frozen=True)
class Deployment:
    database: str
    auth: str

    def __str__(self) -> str:
        return f"{self.database}, {self.auth}"


DEPLOYMENTS = [
    *(
        Deployment(database, auth)
        for database in ("SQLite", "PostgreSQL")
        for auth in ("open", "ADMIN_KEY", "database key", "OIDC")
    ),
    Deployment("WORKERS=2", "database key"),
    Deployment("replica", "database key"),
]
"""The last two are PostgreSQL as well: with two processes, and with a streaming replica."""


@dataclass(frozen=True)
class Caller:
    """A server, and the headers of a caller with all rights."""

    deployment: Deployment
    server: Running
    headers: dict[str, str]
    key_id: str | None = None

    def another(self) -> "Caller | None":
        """A second credential of the same kind, which a test may exhaust or revoke."""
        match self.deployment.auth:
            case "database key":
                return _with_key(self)
            case "OIDC":
                return replace(self, headers={"Authorization": f"Bearer {token(uuid.uuid4().hex)}"})
            case _:
                return None

    @property
    def url(self) -> str:
        return f"{self.server.url}/graphql"

    @property
    def needs_key(self) -> bool:
        return self.deployment.auth != "open"

    def post(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> httpx.Response:
        """Post on a new connection, so that any process may answer."""
        sent = self.headers | (headers or {})
        return httpx.post(self.url, json={"query": query, "variables": variables}, headers=sent, timeout=60)

    def data(self, query: str, **variables: Any) -> dict[str, Any]:
        reply = self.post(query, **variables).json()
        assert "errors" not in reply, reply
        data: dict[str, Any] = reply["data"]
        return data


@dataclass
class Table:
    """The cells of a matrix of deployments and features that passed."""

    title: str
    rows: dict[str, dict[str, bool]] = field(default_factory=dict[str, dict[str, bool]])

    @contextmanager
    def cell(self, row: object, column: str) -> Iterator[None]:
        cells = self.rows.setdefault(str(row), {})
        cells[column] = False
        yield
        cells[column] = True

    def __str__(self) -> str:
        columns = list(dict.fromkeys(column for cells in self.rows.values() for column in cells))
        signs = {True: "ok", False: "FAILED", None: "-"}
        lines = [f"\n{self.title}", " " * 28 + "".join(f"{column:>20}" for column in columns)]
        for row, cells in self.rows.items():
            lines.append(f"{row:28}" + "".join(f"{signs[cells.get(column)]:>20}" for column in columns))
        checks = [good for cells in self.rows.values() for good in cells.values()]
        return "\n".join([*lines, f"{sum(checks)} of {len(checks)} cells work."])


def token(subject: str = "ann@example.com") -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "exp": int(time.time()) + 600,
        "team": "platform",
        "scope": "tessera:admin",
    }
    return jwt.encode({"kid": "rsa", "alg": "RS256"}, claims, RSA, algorithms=["RS256"])


@dataclass(frozen=True)
class Databases:
    """Migrated databases, a new one for each server; of the PostgreSQL there is a streaming replica as well."""

    template: Path
    primary: Postgres
    replica: Postgres

    def settings(self, kind: str, folder: Path) -> dict[str, str]:
        if kind == "SQLite":
            shutil.copy(self.template, folder / "tessera.db")
            return {}
        name = f"tessera_{uuid.uuid4().hex[:8]}"
        asyncio.run(sql(self.primary.url(), f"CREATE DATABASE {name} TEMPLATE template_tessera"))
        data = {"DATABASE_URL": self.primary.url(name)}
        if kind == "replica":
            until(lambda: _answers(self.replica.url(name)))
            data["DATABASE_REPLICA_URL"] = self.replica.url(name)
        if kind == "WORKERS=2":
            data["WORKERS"] = "2"
        return data


def _answers(url: str) -> bool:
    try:
        return bool(asyncio.run(sql(url, "SELECT * FROM alembic_version")))
    except Exception:  # noqa: BLE001 - it is not there yet, whatever it says
        return False


@contextmanager
def deployed(deployment: Deployment, folder: Path, databases: Databases) -> Iterator[Caller]:
    settings = databases.settings(deployment.database, folder)
    if deployment.auth != "open":
        settings["ADMIN_KEY"] = ADMIN_KEY
    if deployment.auth == "OIDC":
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [RSA.as_dict(private=False)]}))
        settings |= {"OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS": str(jwks)}
    with serving(folder, **settings) as server:
        yield _caller(deployment, server)
        assert "Traceback" not in server.log.read_text()


def _caller(deployment: Deployment, server: Running) -> Caller:
    if deployment.auth == "open":
        return Caller(deployment, server, {})
    admin = Caller(deployment, server, {"Authorization": f"Bearer {ADMIN_KEY}"})
    admin.data(TEAM, name="platform")
    match deployment.auth:
        case "database key":
            return _with_key(admin)
        case "OIDC":
            return Caller(deployment, server, {"Authorization": f"Bearer {token()}"})
        case _:
            return admin


def _with_key(caller: Caller) -> Caller:
    """A new API key, created by this caller."""
    created = caller.data(NEW_KEY, team="platform")["createApiKey"]
    headers = {"Authorization": f"Bearer {created['token']}"}
    return Caller(caller.deployment, caller.server, headers, created["apiKey"]["id"])
