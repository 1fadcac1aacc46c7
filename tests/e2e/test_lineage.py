"""`tessera lineage` and `tessera contract diff` show lineage and versions in a terminal and as pictures."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tessera_gql.policy.enums import ColumnEdgeKind
from tessera_gql.store.database import Database
from tests.e2e.server import Running, run_tessera, serving
from tests.workflows.test_lineage_asks import link
from tests.world import World, adding, without

pytestmark = pytest.mark.long
ORDERS = "analytics.core.orders"


async def fill(url: str) -> None:
    """Make staging and a report from orders, in a cycle, and publish three versions of orders."""
    database = Database(url)
    world = World(database)
    orders = await world.published()
    finance = await world.team("finance")
    staging = await world.asset("staging.orders", finance)
    report = await world.asset("finance.report", finance)
    await link(world, orders, staging, ("note", "remark"), ("total", "", ColumnEdgeKind.FILTER))
    await link(world, staging, report)
    await link(world, report, orders)
    await world.publish(orders, adding("channel"))
    await world.publish(orders, without("note", schema=adding("channel")), force=True, reason="the source is gone")
    await database.dispose()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("lineage")
    with serving(folder) as running:
        asyncio.run(fill(f"sqlite:///{folder / 'tessera.db'}"))
        yield running


def run(server: Running, *arguments: str, code: int = 0, **environment: str) -> str:
    completed = run_tessera(*arguments, cwd=Path.cwd(), TESSERA_URL=server.url, **environment)
    assert completed.returncode == code, completed.stderr
    return completed.stdout if code in (0, 1) else completed.stderr


def test_a_pipe_gets_a_line_for_each_asset(server: Running) -> None:
    lines = run(server, "lineage", ORDERS, "--downstream", "--columns").splitlines()
    assert lines == [
        "downstream\t1\tstaging.orders\tfinance\tanalytics.core.orders\tnote → remark, filter by total",
        "downstream\t2\tfinance.report\tfinance\tstaging.orders\tlineage unknown",
    ]
    assert run(server, "lineage", ORDERS, "--upstream", "--depth", "1").splitlines() == [
        "upstream\t1\tfinance.report\tfinance\tanalytics.core.orders"
    ]


def test_a_terminal_gets_a_tree(server: Running) -> None:
    printed = run(server, "lineage", ORDERS, "--columns", FORCE_COLOR="1", NO_COLOR="1")
    assert "└─ staging.orders  finance" in printed
    assert "   └─ finance.report  finance" in printed
    assert "note → remark" in printed


def test_pictures_and_json_have_the_same_assets(server: Running) -> None:
    names = {ORDERS, "staging.orders", "finance.report"}
    svg = ET.fromstring(run(server, "lineage", ORDERS, "--columns", "--format", "svg"))
    titles = {
        title.split(",")[0]
        for title in map(str, [item.text for item in svg.findall(".//{*}title")])
        if "owned" in title
    }
    assert titles == names
    mermaid = run(server, "lineage", ORDERS, "--columns", "--format", "mermaid")
    assert all(f'"{name}<br>' in mermaid for name in names)
    assert mermaid.startswith("flowchart LR")
    document = json.loads(run(server, "lineage", ORDERS, "--format", "json"))
    assert {edge["node"]["fqn"] for edge in document["downstream"]} == names - {ORDERS}
    assert document["asset"]["owner"]["name"] == "producers"


def test_an_unknown_asset_is_refused(server: Running) -> None:
    assert "There is no asset 'no.such'" in run(server, "lineage", "no.such", code=2)


def test_the_latest_two_versions_are_compared(server: Running) -> None:
    printed = run(server, "contract", "diff", ORDERS, "--mode", "backward", code=1)
    assert printed.splitlines()[0].startswith("breaks\tnote\tPROPERTY_REMOVED\t")
    assert printed.splitlines()[-1] == (
        "1.1.0 → 2.0.0 in mode BACKWARD: 1 of 1 changes break, bump MAJOR, 4 fields stay as they are."
    )
    compatible = run(server, "contract", "diff", ORDERS, "--from", "1.0.0", "--to", "1.1.0")
    assert "nothing breaks, bump MINOR, 4 fields stay as they are." in compatible


def test_a_diff_is_json_markdown_or_a_picture_of_where_the_changed_columns_go(server: Running) -> None:
    document = json.loads(run(server, "contract", "diff", ORDERS, "--format", "json", code=1))
    assert (document["from"], document["to"], document["unchangedFieldCount"]) == ("1.1.0", "2.0.0", 4)
    markdown = run(server, "contract", "diff", ORDERS, "--format", "markdown", code=1)
    assert "| 💥 breaks | `note` | `PROPERTY_REMOVED` |" in markdown
    svg = run(server, "contract", "diff", ORDERS, "--format", "svg", code=1)
    texts = [item.text for item in ET.fromstring(svg).findall(".//{*}text")]
    assert {"* note", "* remark"} <= set(texts)
    assert "* note" in run(server, "contract", "diff", ORDERS, "--format", "mermaid", code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "9.9.9"), "has no version 9.9.9. Give one of: 2.0.0, 1.1.0, 1.0.0."),
        (("--to", "1.0.0"), "1.0.0 is its first version: nothing is before it."),
    ],
)
def test_a_version_that_is_not_there_is_refused(server: Running, arguments: tuple[str, ...], message: str) -> None:
    assert message in run(server, "contract", "diff", ORDERS, *arguments, code=2)


def test_an_asset_without_a_contract_has_nothing_to_compare(server: Running) -> None:
    assert "staging.orders has no contract" in run(server, "contract", "diff", "staging.orders", code=2)
