"""Servers, an upload worker and the command line write and search at the same time, and find each other's words."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.bulk import build_manifest
from tessera_gql.store.database import Database
from tests.e2e.server import Running, run_tessera, serving
from tests.e2e.test_uploads import outcomes
from tests.e2e.test_uploads import sync as upload
from tests.store.test_search_histories import assert_index_is_whole

pytestmark = pytest.mark.long

CREATE = """mutation ($team: CreateTeamInput!, $asset: CreateAssetInput!) {
  createTeam(input: $team) { errors { message } } createAsset(input: $asset) { errors { message } }
}"""
SEARCH = "query ($text: String!) { search(text: $text, types: [ASSET]) { edges { title } } }"
SUGGEST = "query ($prefix: String!) { searchSuggestions(prefix: $prefix) { text } }"
ROUNDS = 12
MODELS = 600
LETTERS = "abcdefghijklmnop"


def word_of(name: str, number: int) -> str:
    """A word that no other process writes."""
    return f"{name}{LETTERS[number]}zebra"


def test_all_processes_find_what_each_of_them_writes(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "RATE_LIMIT_MUTATIONS": "off", "RATE_LIMIT_COST": "off"}
    count = 2 if database_url.startswith("postgresql") else 1
    with ExitStack() as stack:
        folders = [tmp_path / f"server{number}" for number in range(count)]
        for folder in folders:
            folder.mkdir()
        servers = [stack.enter_context(serving(folder, **settings)) for folder in folders]
        jobs: list[Callable[[], object]] = [
            lambda: write(servers[0], servers[-1], "first"),
            lambda: write(servers[-1], servers[0], "second"),
            lambda: sync_in_a_worker(servers[0]),
            lambda: use_command_line(servers[-1], tmp_path, settings),
        ]
        with ThreadPoolExecutor() as pool:
            for job in [pool.submit(job) for job in jobs]:
                job.result(120)
        for server in servers:
            for name in ("first", "second", "shell"):
                for number in range(ROUNDS if name != "shell" else 3):
                    assert_found(server, word_of(name, number))
            assert len(server.data(SEARCH, text="table 00599")["search"]["edges"]) == 1
    asyncio.run(check(database_url))


def write(server: Running, reader: Running, name: str) -> None:
    for number in range(ROUNDS):
        name_part = word_of(name, number)
        # Both servers introduce the words of the description, at about the same time.
        asset = {
            "fqn": f"a.{name}.{name_part}",
            "owner": {"name": f"team {name_part}"},
            "description": f"shared {LETTERS[number]}q",
        }
        reply = server.data(CREATE, team={"name": f"team {name_part}"}, asset=asset)
        assert reply == {"createTeam": {"errors": []}, "createAsset": {"errors": []}}
        assert_found(reader, name_part)


def assert_found(server: Running, name_part: str) -> None:
    misspelt = name_part.replace("zebra", "zebar")
    for text in (name_part, misspelt):
        titles = [edge["title"] for edge in server.data(SEARCH, text=text)["search"]["edges"]]
        assert any(title.endswith(f".{name_part}") for title in titles), (text, titles)
    texts = [item["text"] for item in server.data(SUGGEST, prefix=name_part[:-2])["searchSuggestions"]]
    assert any(text.endswith(name_part) for text in texts), texts


def sync_in_a_worker(server: Running) -> None:
    assert outcomes(upload(server, json.dumps(build_manifest(MODELS)).encode())) == {"CREATED"}


def use_command_line(server: Running, folder: Path, settings: dict[str, str]) -> None:
    for number in range(3):
        name_part = word_of("shell", number)
        schema = folder / f"{name_part}.json"
        schema.write_text(json.dumps({"type": "object", "properties": {f"{name_part}_id": {"type": "string"}}}))
        run("team", "create", name_part, folder=folder, TESSERA_URL=server.url)
        run("asset", "create", f"a.shell.{name_part}", "--owner", name_part, folder=folder, TESSERA_URL=server.url)
        run("publish", f"a.shell.{name_part}", str(schema), folder=folder, TESSERA_URL=server.url)
        assert name_part in run("search", f"{name_part}", "id", folder=folder, TESSERA_URL=server.url)
        if settings["DATABASE_URL"].startswith("postgresql"):
            assert "documents" in run("db", "reindex", folder=folder, **settings)


def run(*arguments: str, folder: Path, **settings: str) -> str:
    completed = run_tessera(*arguments, cwd=folder, **settings)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


async def check(url: str) -> None:
    database = Database(url)
    try:
        await assert_index_is_whole(database)
    finally:
        await database.dispose()
