"""`tessera usage` against a server: a key of a source imports a log, and an administrator maps who read."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Running, run_tessera, serving

pytestmark = pytest.mark.long

ADMIN = "an-administrators-key-for-this-test"


def run(server: Running, folder: Path, key: str, *arguments: str, code: int = 0) -> Any:
    completed = run_tessera(*arguments, cwd=folder, TESSERA_URL=server.url, TESSERA_API_KEY=key)
    assert completed.returncode == code, completed.stderr
    return completed


def test_a_warehouse_imports_its_log_with_a_key_that_can_do_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "reads.csv"
    rows = [
        f"svc_{n % 3},ANALYTICS.MARTS.ORDERS,ORDER_ID,2026-01-{1 + n % 20:02} 10:00:{n % 60:02}" for n in range(3_000)
    ]
    everything = "\n".join(["principal,asset,field,read_at", *rows, "x,no.such.table,a,2026-01-01", ""])
    log.write_text(everything)
    assert log.stat().st_size > 96 * 1024
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        run(server, tmp_path, ADMIN, "team", "create", "finance")
        run(server, tmp_path, ADMIN, "asset", "create", "analytics.marts.orders", "--owner", "finance")
        run(server, tmp_path, ADMIN, "usage", "create-source", "snowflake")
        created = run_tessera("keys", "create", "loader", "--usage-source", "snowflake", "--json", cwd=tmp_path)
        assert created.returncode == 0, created.stderr
        key = json.loads(created.stdout)
        assert (key["scopes"], key["usage_source"]) == (["READ", "EVIDENCE"], "snowflake")
        options = ("usage", "import", str(log), "--source", "snowflake", "--from", "2026-01-01", "--to", "2026-02-01")
        first = run(server, tmp_path, key["token"], *options)
        assert "3000 of 3001 rows taken, 60 days of reads changed." in first.stdout
        assert "1 not taken: UNKNOWN_ASSET, no asset has this name" in first.stdout
        assert "Covers 2026-01-01 00:00 to 2026-02-01 00:00 UTC." in first.stdout
        log.write_text("principal,asset,field,read_at\n")
        assert "say with --from and --to" in run(server, tmp_path, key["token"], *options[:5], code=1).stdout
        log.write_text("principal,asset,field,read_at\nx,analytics.marts.orders,a,soon\n")
        assert "INVALID_TIME may hide reads" in run(server, tmp_path, key["token"], *options, code=1).stdout
        log.write_text(everything)
        again = json.loads(run(server, tmp_path, key["token"], *options, "--json").stdout)
        assert (again["daysChanged"], again["isTruncated"]) == (0, False)
        run(server, tmp_path, key["token"], "usage", "map", "svc_*", "--team", "finance", code=2)
        mapped = run(server, tmp_path, ADMIN, "usage", "map", "svc_*", "--team", "finance")
        assert mapped.stdout == "svc_* reads for finance; 3 principals changed.\n"
        listed = run(server, tmp_path, ADMIN, "usage", "principals", "--unmapped")
        assert "svc_" not in listed.stdout


def test_the_command_finds_out_the_format_of_a_log_and_says_so(tmp_path: Path) -> None:
    objects = [{"objectDomain": "Table", "objectName": "A.B.ORDERS", "columns": [{"columnName": "ID"}]}]
    row = {"QUERY_START_TIME": "2026-01-02 10:00:00.000 Z", "USER_NAME": "SVC", "BASE_OBJECTS_ACCESSED": objects}
    rows = [row | {"QUERY_ID": str(n % 900), "DIRECT_OBJECTS_ACCESSED": objects} for n in range(1_000)]
    log = tmp_path / "history.json"
    log.write_text(json.dumps(rows))
    assert log.stat().st_size > 96 * 1024
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        run(server, tmp_path, ADMIN, "team", "create", "finance")
        run(server, tmp_path, ADMIN, "asset", "create", "a.b.orders", "--owner", "finance")
        run(server, tmp_path, ADMIN, "usage", "create-source", "snowflake")
        options = ("usage", "import", str(log), "--source", "snowflake", "--from", "2026-01-01", "--to", "2026-02-01")
        imported = run(server, tmp_path, ADMIN, *options)
        assert "history.json looks like snowflake; --format chooses another format." in imported.stderr
        assert "900 of 900 reads in 1000 rows taken, 1 days of reads changed." in imported.stdout
        assert "100 not taken: REPEATED, the same query, job, entry or run again, first in line" in imported.stdout
        assert "are not read" not in imported.stderr
        refused = run(server, tmp_path, ADMIN, *options, "--format", "bigquery", code=2)
        assert "It looks like SNOWFLAKE, not like BIGQUERY" in refused.stderr
        log.write_text(json.dumps(rows)[:-5])
        cut = run(server, tmp_path, ADMIN, *options, code=1)
        assert "The log was cut off before its end." in cut.stdout


class Shop:
    """A server with an asset of the team shop, and a principal without a team that has read its column `note`."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.schema = folder / "orders.json"
        log = folder / "reads.csv"
        log.write_text("principal,asset,field,read_at\nsvc_finance_daily,shop.orders,note,2026-01-20\n")
        for team in ("shop", "finance"):
            self.call("team", "create", team)
        self.call("asset", "create", "shop.orders", "--owner", "shop")
        self.publish("order_id", "note")
        assert "no usage source covers it" in self.call("usage", "coverage", "shop.orders")
        self.call("usage", "create-source", "snowflake")
        self.call("usage", "import", str(log), "--source", "snowflake", "--from", "2026-01-01", "--to", "2026-02-01")

    def call(self, *arguments: str, code: int = 0) -> str:
        output: str = run(self.server, self.folder, ADMIN, *arguments, code=code).stdout
        return output

    def write(self, *columns: str) -> str:
        properties = {name: {"type": "string"} for name in columns}
        self.schema.write_text(json.dumps({"type": "object", "properties": properties}))
        return str(self.schema)

    def publish(self, *columns: str, code: int = 0) -> str:
        return self.call("publish", "shop.orders", self.write(*columns), "--team", "shop", code=code)


def test_coverage_and_what_it_suggests_are_shown(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        shop = Shop(server, tmp_path)
        assert "svc_finance_daily" in shop.call("usage", "coverage", "shop.orders")
        unused = shop.call("usage", "unused", "shop.orders", "--since", "2026-01-05", code=1)
        assert [line.split("\t")[0] for line in unused.splitlines()] == ["order_id"]
        assert "none; finance?" in shop.call("usage", "principals", "--unmapped")
        registered = shop.call("usage", "register", "svc_finance_daily")
        assert registered == "svc_finance_daily reads for finance.\n  shop.orders: note\n"
        assert shop.call("usage", "narrow") == ""


def test_a_demand_for_coverage_holds_what_asks_nobody_until_it_is_waived(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        shop = Shop(server, tmp_path)
        assert "30 days" in shop.call("policy", "set", "normal", "--require-coverage-days", "30")
        impact = shop.call("impact", "shop.orders", shop.write("order_id"), code=3)
        assert "held   snowflake: nothing is imported since 2026-02-01" in impact
        published = shop.publish("order_id", code=3)
        assert "held until observed reads cover 30 days: snowflake: nothing is imported since" in published
        assert "1 source (snowflake) covers 2026-01-01 to 2026-02-01 without a gap" in published
        assert "coverage" in shop.call("proposals")
        assert "it is let go by itself then" in shop.call("proposal", "shop.orders")
        refused = run(server, tmp_path, ADMIN, "publish-proposal", "shop.orders", code=2)
        assert "The proposal is held" in refused.stderr
        shop.call("withdraw", "shop.orders")
        shop.call("retire", "shop.orders", "--reason", "unused", "--team", "shop", code=3)
        waived = shop.call("publish-proposal", "shop.orders", "--waive-coverage", "--reason", "the log is archived")
        assert waived == "shop.orders 1.0.0 is retired.\n"
