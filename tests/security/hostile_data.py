"""Hostile names, a server that returns them everywhere, and a database that holds nothing else."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tessera_gql.client import ChangeSetRequest, TesseraClient
from tests.e2e.server import ROOT, serving
from tests.security.rewriting_proxy import rewriting

HOSTILE = (
    "x'; touch pwned; $(touch pwned)`touch pwned`\n::error::f\n##[error]f\r\x1b]0;o\x07\x9b31m\u202et\u2066|a|"
    "[red]x[/] ![i](http://e/i) <img src=x> <!channel> @all #1 &lt;\\"
)
ESCAPED = json.dumps(HOSTILE, ensure_ascii=False)[1:-1]
MARKER = "Z" + "z" * (len(ESCAPED.encode()) - 1)
"""A name that the server takes, as long as what it becomes on its way to the client."""
OWNER = "owner"
ASSET = f"ns.{MARKER}"
CUSTOMERS = "analytics.marts.customers"
MANIFEST = (ROOT / "tessera_gql/cli/shop_manifest.json").read_text().replace('"country"', f'"{MARKER}"')


def schema(*columns: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", "description": MARKER} for name in columns}}


@dataclass(frozen=True)
class Place:
    """A folder with files, a server, and a proxy of the server that makes every name hostile."""

    folder: Path
    url: str
    hostile_url: str

    @property
    def database(self) -> str:
        """A copy of the server's database with hostile text in place of every marker."""
        file = self.folder / "hostile.db"
        if not file.exists():
            with closing(sqlite3.connect(self.folder / "tessera.db")) as source, closing(sqlite3.connect(file)) as copy:
                source.backup(copy)
                _spoil(copy)
        return f"sqlite:///{file}"

    def prepare(self, need: str) -> None:
        """`reader`: the team reads the asset; `proposal`: it is asked as well; `peace`: it is not."""
        with TesseraClient(self.url) as client:
            if need == "manifest":
                if client.find_asset(CUSTOMERS) is None:
                    client.sync_dbt(MANIFEST.encode(), owner=OWNER, create_teams=True)
                    _register(client, CUSTOMERS)
                return
            _register(client, ASSET)
            if (proposal := client.get_asset(ASSET).open_proposal) and need != "proposal":
                client.withdraw_proposal(proposal.id)
            if need == "proposal" and proposal is None:
                client.publish_contract(
                    fqn=ASSET,
                    schema_def=schema("id"),
                    published_by=OWNER,
                    reason=MARKER,
                    change_set=ChangeSetRequest(MARKER, MARKER, f"https://example.com/{MARKER}"),
                )

    def first_cursor(self) -> str:
        with TesseraClient(self.url) as client:
            return next(client.events()).cursor


def _register(client: TesseraClient, fqn: str) -> None:
    team, asset = client.get_team(MARKER), client.get_asset(fqn)
    registrations = client.registrations(asset_id=asset.id, consumer_team_id=team.id)
    if not any(item.status != "INACTIVE" for item in registrations):
        client.register(fqn, team=MARKER, fields=[MARKER], purpose=MARKER)


@contextmanager
def hostile_place(folder: Path) -> Iterator[Place]:
    with serving(folder) as server:
        port = int(server.url.rpartition(":")[2])
        with rewriting(port, MARKER.encode(), ESCAPED.encode()) as hostile_port:
            _write_files(folder)
            with TesseraClient(server.url) as client:
                for name in (MARKER, OWNER):
                    client.create_team(name)
                client.create_asset(fqn=ASSET, owner=OWNER, description=MARKER)
                client.publish_contract(fqn=ASSET, schema_def=schema("id", MARKER), published_by=OWNER, reason=MARKER)
            yield Place(folder, server.url, f"http://127.0.0.1:{hostile_port}")


def _write_files(folder: Path) -> None:
    less = json.loads(MANIFEST)
    for node in less["nodes"].values():
        if node["name"] == "customers":
            node["columns"].pop(MARKER, None)
    old = {"type": "object", "properties": {HOSTILE: {"type": "string"}, "order_id": {"enum": [HOSTILE, "a"]}}}
    new = {"type": "object", "properties": {"order_id": {"enum": ["a"]}}}
    schemas = {"wide": schema("id", MARKER), "narrow": schema("id"), "old": old, "new": new, "less": less}
    for name, content in schemas.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "manifest.json").write_text(MANIFEST)


def _spoil(connection: sqlite3.Connection) -> None:
    """Write these texts into the database without any validation."""
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            text = ESCAPED if kind == "JSON" else HOSTILE
            with suppress(sqlite3.DatabaseError):
                connection.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                    f" WHERE typeof({column}) = 'text' AND instr({column}, ?)",
                    (MARKER, text, MARKER),
                )
    connection.commit()
