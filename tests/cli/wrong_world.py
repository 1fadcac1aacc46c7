"""The world of the wrong inputs: teams, assets, proposals and keys of a server, and good and bad files."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tessera_gql.client import TesseraClient

ADMIN_KEY = "a-key-of-an-administrator-for-tests"
MAX_HUGE = 30_000_000
CREATE_KEY = """mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { token errors { message } } }"""


def write_files(folder: Path) -> None:
    """Write the files that the commands name."""
    texts = {
        "good.json": schema("order_id", "total", "coupon"),
        "other.json": schema("order_id", "total", "coupon", "note"),
        "breaking.json": schema("order_id", "coupon"),
        "empty.json": "",
        "broken.json": '{"type": "object", ',
        "list.json": "[1, 2]",
        "twice.json": '{"type": "object", "type": "string"}',
        "deep.json": '{"not": ' * 100_000 + "{}" + "}" * 100_000,
        "invalid.json": '{"type": "objekt"}',
        "broken.yaml": "type: [object",
        "broken.avsc": '{"type": "record"}',
        "broken.sql": "CREATE TABEL orders (id int)",
        "broken.pb": "no descriptor set",
        "table.sql": "CREATE TABLE orders (order_id int)",
        "tables.sql": "CREATE TABLE a (id int); CREATE TABLE b (id int);",
        "guarantees.json": '{"freshness": 3}',
        "manifest.json": json.dumps(_manifest()),
        "columns.csv": "user,table,column\nbob,ns.orders,total\n",
        "empty.csv": "",
        "reads.csv": "principal,asset,field,read_at\nbob,ns.orders,total,2026-03-01T12:00:00Z\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "binary.json").write_bytes(bytes(range(256)) * 4)
    (folder / "huge.json").write_text(json.dumps({"description": "x" * MAX_HUGE}))
    (folder / "folder").mkdir()


def schema(*columns: str) -> str:
    return json.dumps({"type": "object", "properties": {column: {"type": "string"} for column in columns}})


def _manifest() -> dict[str, Any]:
    columns = {"id": {"name": "id", "data_type": "int"}}
    node = {"resource_type": "model", "name": "m", "database": "db", "schema": "s", "alias": "m", "columns": columns}
    node |= {"unique_id": "model.p.m", "package_name": "p", "config": {"contract": {"enforced": True}}}
    version = "https://schemas.getdbt.com/dbt/manifest/v12.json"
    metadata = {"dbt_schema_version": version, "project_name": "p", "adapter_type": "postgres"}
    return {"metadata": metadata, "nodes": {"model.p.m": node}, "sources": {}, "exposures": {}}


def build_world(url: str) -> dict[str, str]:
    """Fill the server, and return the ids and keys that rows name in braces or brackets."""
    with TesseraClient(url, ADMIN_KEY) as tessera:
        shop, finance, growth = (tessera.create_team(name) for name in ("shop", "finance", "growth"))
        columns = json.loads(schema("order_id", "total", "coupon"))
        for fqn in ("ns.orders", "ns.customers", "ns.old"):
            tessera.create_asset(fqn=fqn, owner=shop)
            tessera.publish_contract(fqn=fqn, schema_def=columns, published_by=shop)
        tessera.create_asset(fqn="ns.empty", owner=shop)
        registration = tessera.register("ns.orders", team=finance)
        tessera.register("ns.old", team=finance)
        breaking = json.loads(schema("order_id", "coupon"))
        tessera.publish_contract(fqn="ns.orders", schema_def=breaking, published_by=shop, change_set="shop#1")
        ended = tessera.publish_contract(fqn="ns.old", schema_def=breaking, published_by=shop).proposal
        assert ended
        tessera.withdraw_proposal(ended.id)
        tessera.create_usage_source("snowflake")
        tessera.create_project("warehouse", owners=["shop"])
        asset = tessera.get_asset("ns.customers")
    return {
        "team_id": shop.id,
        "asset_id": asset.id,
        "ended": ended.id,
        "registration": registration.id,
        "long": "x" * 300,
        "next_month": f"{datetime.now(UTC) + timedelta(days=31):%Y-%m-%d}",
        "read": create_key(url, name="reader", team={"id": finance.id}, scopes=["READ"]),
        "growth": create_key(url, name="growth", team={"id": growth.id}, scopes=["WRITE"]),
    }


def create_key(url: str, **input_: object) -> str:
    variables = {"input": input_}
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    body = {"query": CREATE_KEY, "variables": variables}
    reply = httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=30).json()
    token: str = reply["data"]["createApiKey"]["token"]
    return token
