"""Logs of vendors over GraphQL: what the graph says of them is what the queries in them say, on both databases."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.workflows import usage_log
from tests.formats.usage_generators import ASSETS, COLUMNS, GENERATORS, NOW
from tests.graphql.authenticated_api import AuthenticatedApi
from tests.graphql.test_usage import IMPORT, api, loader, run
from tests.world import World

__all__ = ["api"]

OBSERVATIONS = """query ($asset: AssetRef!) { asset(by: $asset) { observations(first: 100) { nodes {
  field firstSeen lastSeen readCount principal { name } } } } }"""

Observed = dict[tuple[str, str, str], tuple[int, datetime, datetime]]


async def observed(api: AuthenticatedApi, token: str, assets: Sequence[str] = ASSETS) -> Observed:
    rows: Observed = {}
    for asset in assets:
        data = await api.data(token, OBSERVATIONS, asset={"fqn": asset})
        for node in data["asset"]["observations"]["nodes"]:
            key = (node["principal"]["name"].casefold(), asset, (node["field"] or "").casefold())
            first, last = (datetime.fromisoformat(node[name]) for name in ("firstSeen", "lastSeen"))
            assert key not in rows
            rows[key] = (node["readCount"], first, last)
    return rows


@pytest.mark.parametrize("format_", [*UsageFormat])
async def test_the_graph_has_the_reads_and_the_span_of_a_generated_log(
    api: AuthenticatedApi, world: World, format_: UsageFormat
) -> None:
    team = await world.team("owner")
    columns = {"type": "object", "properties": {name: {"type": "string"} for name in COLUMNS}}
    for asset in ASSETS:
        await world.publish(await world.asset(asset, team), columns)
    _, token = await loader(api)
    expected: Observed = {}
    for seed in range(4):
        generated = GENERATORS[format_](Random(seed))
        if not generated.rows:
            continue
        asked = {"source": {"name": "snowflake"}, "format": format_.value, "document": RawJson(generated.content)}
        payload = await run(api, token, IMPORT, **asked)
        assert payload["errors"] == []
        ignored = {rows["reason"]: rows["count"] for rows in payload["report"]["ignored"]}
        assert (ignored, payload["report"]["rows"]) == (generated.faults, generated.rows)
        if (span := generated.span()) is not None:
            covered = payload["report"]["covered"]
            assert tuple(datetime.fromisoformat(covered[name]) for name in ("from", "to")) == span
        again = await run(api, token, IMPORT, **asked)
        assert again["report"]["daysChanged"] == 0
        _merge(expected, generated.fold())
        assert await observed(api, token) == {key: _sum(days) for key, days in expected.items()}


def _merge(expected: Any, folded: Any) -> None:
    """Merge the days of another log: each import raises the number of a day to its own."""
    for key, days in folded.items():
        merged = expected.setdefault(key, {})
        for day, (count, first, last) in days.items():
            earlier = merged.get(day, (0, first, last))
            merged[day] = (max(count, earlier[0]), min(first, earlier[1]), max(last, earlier[2]))


def _sum(days: Any) -> tuple[int, datetime, datetime]:
    counts, firsts, lasts = zip(*days.values(), strict=True)
    return sum(counts), min(firsts), max(lasts)


async def test_a_log_that_is_read_in_parts_is_imported_as_a_whole(
    api: AuthenticatedApi, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await world.team("owner")
    for asset in ASSETS[:2]:
        await world.asset(asset, team)
    _, token = await loader(api)
    lines = ["principal,asset,field,read_at"]
    lines += [f"p{n % 7},{ASSETS[n % 3]},f{n % 5},{(NOW - timedelta(days=n % 11)).isoformat()}" for n in range(400)]
    asked = {"source": {"name": "snowflake"}, "document": "\n".join(lines) + "\n"}
    monkeypatch.setattr(usage_log, "MAX_GROUPS", 30)
    payload = await run(api, token, IMPORT, **asked)
    report = payload["report"]
    unknown = sum(1 for line in lines if ASSETS[2] in line)
    assert (payload["errors"], report["rows"], report["reads"]) == ([], 400, 400)
    assert report["ignored"] == [{"reason": "UNKNOWN_ASSET", "count": unknown, "line": None}]
    groups = {(n % 7, n % 3, n % 5, n % 11) for n in range(400) if n % 3 != 2}
    assert report["daysChanged"] == len(groups)
    rows = await observed(api, token, ASSETS[:2])
    assert sum(count for count, _, _ in rows.values()) == 400 - unknown
    assert len(rows) == len({group[:3] for group in groups})
    monkeypatch.undo()
    assert (await run(api, token, IMPORT, **asked))["report"]["daysChanged"] == 0
    monkeypatch.setattr(usage_log, "MAX_GROUPS", 1)
    monkeypatch.setattr(usage_log, "MAX_PARTS", 2)
    (error,) = (await run(api, token, IMPORT, **asked))["errors"]
    assert "The log has more than 2 days of readers. Split it, such as by month." in error["message"]


async def test_a_log_in_another_format_is_refused_with_the_format_that_it_has(
    api: AuthenticatedApi, world: World
) -> None:
    await world.published()
    _, token = await loader(api)
    log = json.dumps([{"QUERY_ID": "q", "USER_NAME": "b", "DIRECT_OBJECTS_ACCESSED": []}])
    payload = await run(api, token, IMPORT, source={"name": "snowflake"}, document=log)
    (error,) = payload["errors"]
    assert (error["code"], error["field"]) == ("INVALID", ["input", "document"])
    assert "It looks like SNOWFLAKE, not like CSV" in error["message"]
    assert payload["report"] is None


async def test_json_in_the_request_itself_is_a_log_as_well(api: AuthenticatedApi, world: World) -> None:
    asset = await world.published()
    _, token = await loader(api)
    moment = (NOW - timedelta(days=1)).isoformat()
    item = {"objectDomain": "Table", "objectName": asset.fqn, "columns": [{"columnName": "NOTE"}]}
    row = {"QUERY_ID": "q", "QUERY_START_TIME": moment, "USER_NAME": "bob"}
    row |= {"DIRECT_OBJECTS_ACCESSED": [item], "BASE_OBJECTS_ACCESSED": [item]}
    payload = await run(api, token, IMPORT, source={"name": "snowflake"}, format="SNOWFLAKE", document=[row])
    assert (payload["errors"], payload["report"]["reads"], payload["report"]["daysChanged"]) == ([], 1, 1)
