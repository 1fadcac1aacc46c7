"""The dbt commands with input that is wrong: each fault is named, has its exit code, and changes nothing."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.server import serving
from tests.e2e.test_cli import Shell
from tests.formats.manifests import column, manifest, table

FQN = "analytics.core.orders"


def owned(name: str, *columns: str, **fields: Any) -> dict[str, Any]:
    config = {"materialized": "table", "meta": {"owner": "shop"}}
    return table(name, *(column(each, "bigint") for each in columns), config=config, **fields)


def write(folder: Path, name: str, document: Any) -> Path:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_wrong_input_is_named_with_its_exit_code_and_nothing_is_half_written(tmp_path: Path) -> None:
    orders, refunds = owned("orders", "id", "total"), owned("refunds", "id")
    with serving(tmp_path) as server:
        shell = Shell(server.url, tmp_path)
        whole = write(tmp_path, "manifest.json", manifest(orders, refunds))
        shell("dbt", "sync", whole, "--create-teams")
        before = shell.json("asset", "list")

        empty = write(tmp_path, "empty.json", manifest())
        assert "has no models, but the project shop is known" in shell.refused("dbt", "sync", empty)
        assert "--allow-empty" in shell.refused("dbt", "impact", empty)
        elsewhere = write(tmp_path, "other.json", manifest({**orders, "schema": "pr_1"}, {**refunds, "schema": "pr_1"}))
        assert "--target-schema-map analytics.pr_1=analytics.core" in shell.refused("dbt", "sync", elsewhere)
        assert "compared as analytics.core.*" in shell("dbt", "impact", elsewhere)
        assert "is no pair of schemas" in shell.refused("dbt", "sync", elsewhere, "--target-schema-map", "pr_1")
        shell("dbt", "sync", elsewhere, "--target-schema-map", "pr_1=core")
        assert shell.json("asset", "list") == before

        catalog = write(tmp_path, "catalog.json", '{"nodes": ')
        assert "Was it cut off?" in shell.refused("dbt", "impact", whole)
        assert "2 unchanged" in shell("dbt", "impact", whole, "--no-catalog")
        write(tmp_path, "catalog.json", {"metadata": {}, "nodes": {}})
        assert "The catalog can't be read" in shell.refused("dbt", "sync", whole)
        catalog.unlink()
        assert "can't be read" in shell.refused("dbt", "impact", whole, "--catalog", tmp_path / "none.json")

        twin = write(tmp_path, "twin.json", manifest(orders, owned("twin", "id", alias="orders"), owned("new", "id")))
        assert "model.shop.orders and model.shop.twin build it" in shell("dbt", "impact", twin, code=1)
        assert f"SKIPPED\t{FQN}" in shell("dbt", "sync", twin, code=1)
        assert "model.shop.twin build it" in shell.refused("dbt", "sync", twin, "--atomic")
        assert "2 tables rest on declarations alone" in shell("dbt", "impact", whole)


def test_the_pull_request_asks_and_the_merge_releases(tmp_path: Path) -> None:
    pull_request = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "org/shop", "GITHUB_REF": "refs/pull/7/merge"}
    with serving(tmp_path) as server:
        main, branch = Shell(server.url, tmp_path), Shell(server.url, tmp_path, **pull_request)
        wide = write(tmp_path, "wide.json", manifest(owned("orders", "id", "total"), owned("old", "id")))
        narrow = write(tmp_path, "narrow.json", manifest(owned("orders", "id")))
        main("dbt", "sync", wide, "--create-teams")
        main("team", "create", "growth")
        main("register", FQN, "-t", "growth", "-f", "total", "--purpose", "Which campaigns pay.")
        main("register", "analytics.core.old", "-t", "growth")

        report = branch("dbt", "impact", narrow, code=1)
        assert "asks     growth, which reads total (Which campaigns pay.)" in report
        assert "retiring analytics.core.old asks growth" in report
        asked = branch.json("dbt", "impact", narrow, "--ask", "--reason", "Moved.", code=3)
        assert asked == branch.json("dbt", "impact", narrow, "--ask", "--reason", "Moved.", code=3)
        assert [change_set["key"] for change_set in main.json("change-set", "list")] == ["github.com/org/shop#7"]
        main("dbt", "sync", narrow, code=3)
        for fqn in (FQN, "analytics.core.old"):
            main("ack", fqn, "APPROVED", "--team", "growth")
        assert "2 approved" in branch("dbt", "impact", narrow)
        synced = main.json("dbt", "sync", narrow)
        assert [(model["fqn"], model["outcome"]) for model in synced["models"]] == [(FQN, "PUBLISHED")]
        assert [(model["fqn"], model["retired"]) for model in synced["removed"]] == [("analytics.core.old", True)]
        assert "1 unchanged" in branch("dbt", "impact", narrow)
