"""The inbox iterates over all pages."""

from typing import Any

from tests.client.test_sync_and_async import fresh

MANY = 120
VERSION = "https://schemas.getdbt.com/dbt/manifest/v12.json"


def project(name: str, *columns: str) -> dict[str, Any]:
    """Many tables of one team, all of them read by one table of another."""
    tables = [node(name, f"t{number:03}", f"{name}-makers", *columns) for number in range(MANY)]
    reader = node(name, "all", f"{name}-readers", "id")
    reader["depends_on"] = {"nodes": [table["unique_id"] for table in tables]}
    nodes = {item["unique_id"]: item for item in [*tables, reader]}
    return {"metadata": {"dbt_schema_version": VERSION, "project_name": name}, "nodes": nodes}


def node(project: str, name: str, owner: str, *columns: str) -> dict[str, Any]:
    return {
        "unique_id": f"model.{project}.{name}",
        "resource_type": "model",
        "database": "inbox",
        "schema": project,
        "name": name,
        "columns": {column: {"name": column, "data_type": "bigint"} for column in columns},
        "config": {"meta": {"owner": owner}},
    }


async def test_every_acknowledgment_request_is_in_the_inbox(tessera: Any) -> None:
    name = fresh("inbox")
    await tessera.sync_dbt(project(name, "id", "gone"), create_teams=True)
    report = await tessera.sync_dbt(project(name, "id"))
    assert sum(model.outcome == "PROPOSED" for model in report.models) == MANY
    asked = [request.proposal.asset.fqn async for request in tessera.inbox(f"{name}-readers")]
    assert len(set(asked)) == len(asked) == MANY
