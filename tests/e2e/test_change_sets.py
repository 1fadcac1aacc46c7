"""The loop of a pull request on the command line: ask, answer, release; withdraw what was abandoned; retire."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.server import Running, serving
from tests.e2e.test_cli import Shell, fresh, schema

URL = "https://github.com/shop/warehouse/pull/17"


@pytest.fixture(scope="module")
def change_set_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("change-sets")) as running:
        yield running


@pytest.fixture
def shell(change_set_server: Running, tmp_path: Path) -> Shell:
    return Shell(change_set_server.url, tmp_path)


def publish_read_table(tessera: Shell, folder: Path) -> tuple[str, str]:
    """Publish a table with two columns, of which a team reads one."""
    owner, reader, fqn = fresh("shop"), fresh("finance"), f"loop.t_{uuid.uuid4().hex[:8]}.orders"
    for team in (owner, reader):
        tessera("team", "create", team)
    tessera("asset", "create", fqn, "--owner", owner)
    tessera("publish", fqn, schema(folder, "id", "coupon"), "-t", owner)
    tessera("register", fqn, "-t", reader, "-f", "coupon")
    return fqn, reader


def test_a_pull_request_asks_as_often_as_it_runs_and_the_merge_releases(shell: Shell, tmp_path: Path) -> None:
    fqn, reader = publish_read_table(shell, tmp_path)
    narrow, key = schema(tmp_path, "id"), f"{fresh('repo')}#17"
    options = ("--change-set", key, "--change-set-title", "Drop coupons", "--change-set-url", URL)
    for _ in range(2):
        assert f"waits for: tessera ack {fqn}" in shell("publish", fqn, narrow, "--ask", *options, code=3)
    assert shell.json("change-set", "show", key)["proposals"][0]["awaiting"][0]["name"] == reader
    assert shell("change-set", "list").split("\t")[0] == key
    assert "waits for" in shell.refused("change-set", "publish", key)
    assert URL in shell("proposal", fqn)
    shell("ack", fqn, "APPROVED", "-t", reader)
    assert "approved; to publish it" in shell("publish", fqn, narrow, "--ask", *options)
    assert f"{fqn} 2.0.0 is published" in shell("publish", fqn, narrow, *options)
    assert shell.json("change-set", "show", key)["status"] == "PUBLISHED"
    assert key not in shell("change-set", "list")


def test_an_abandoned_pull_request_is_withdrawn(shell: Shell, tmp_path: Path) -> None:
    fqn, _ = publish_read_table(shell, tmp_path)
    key = f"{fresh('repo')}#18"
    shell("publish", fqn, schema(tmp_path, "id"), "--ask", "--change-set", key, code=3)
    assert f"{key} is withdrawn" in shell("change-set", "withdraw", key)
    assert shell.json("asset", "show", fqn)["openProposal"] is None
    assert "ended as WITHDRAWN" in shell.refused("change-set", "withdraw", key)
    assert "no change set" in shell.refused("change-set", "show", "unknown")


def test_a_change_set_publishes_a_change_and_a_retirement_together(shell: Shell, tmp_path: Path) -> None:
    key, narrow = f"{fresh('repo')}#19", schema(tmp_path, "id")
    (first, first_reader), (second, second_reader) = [publish_read_table(shell, tmp_path) for _ in range(2)]
    shell("publish", first, narrow, "--ask", "--change-set", key, code=3)
    shell("retire", second, "--reason", "moved", "--ask", "--change-set", key, code=3)
    assert "retirement" in shell("proposal", second)
    assert f"to retire {second} is APPROVED" in shell("ack", second, "APPROVED", "-t", second_reader)
    assert "waits for" in shell.refused("change-set", "publish", key)
    shell("ack", first, "APPROVED", "-t", first_reader)
    assert f"{key} is published" in shell("change-set", "publish", key)
    assert shell.json("asset", "show", first)["currentContract"]["version"] == "2.0.0"
    assert shell.json("asset", "show", second)["currentContract"] is None


def test_a_team_answers_a_change_set_with_one_command(shell: Shell, tmp_path: Path) -> None:
    key, narrow = f"{fresh('repo')}#20", schema(tmp_path, "id")
    (first, reader), (second, _) = [publish_read_table(shell, tmp_path) for _ in range(2)]
    shell("register", second, "-t", reader, "-f", "coupon")
    for fqn in (first, second):
        shell("publish", fqn, narrow, "--ask", "--change-set", key, code=3)
    due, *cells = shell("inbox", "-t", reader).strip().split("\t")
    assert cells[:2] == [reader, key]
    assert (set(cells[2].split(",")), cells[4], due[-1]) == ({first, second}, "the proposal expires", "Z")
    assert shell.json("inbox", "-t", reader)[0]["tableCount"] == 2
    answer = ("ack", "--change-set", key, "-t", reader)
    assert "needs a reason" in shell.refused(*answer, "--block")
    assert "Give one answer" in shell.refused(*answer, "--block", "--approve")
    assert "Give one answer" in shell.refused(*answer)
    assert "one of them" in shell.refused("ack", first, "APPROVED", "--change-set", key)
    assert "--except leaves" in shell.refused("ack", first, "--approve", "--except", second)
    assert shell(*answer, "--approve", "--except", second).split("\t")[:3] == [first, reader, "APPROVED"]
    assert "BLOCKED" in shell(*answer, "--block", "--notes", "The closing runs.", "--except", first)
    assert "has answered APPROVED" in shell.refused(
        "ack", "APPROVED", "--change-set", key, "-t", reader, "--except", second
    )
    until = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    assert "another answer with --replace" in shell.refused(*answer, "--migrate-until", until)
    assert shell(*answer, "--migrate-until", until, "--replace").count("MIGRATING") == 2
    migrating = shell("inbox", "-t", reader).splitlines()
    assert [line.split("\t")[:2] for line in migrating] == [[f"{until}T00:00Z", "migrating"]] * 2
    shell("unregister", second, "-t", reader)
    assert f"{reader}\tMIGRATING, no longer asked\t{until}T00:00Z\t-\t" in shell("proposal", second)


def test_an_asset_without_readers_is_retired_at_once_and_one_with_readers_waits(shell: Shell, tmp_path: Path) -> None:
    fqn, reader = publish_read_table(shell, tmp_path)
    assert f"The retirement of {fqn} is PENDING" in shell("retire", fqn, "--reason", "moved", code=3)
    shell("ack", fqn, "APPROVED", "-t", reader)
    assert f"{fqn} 1.0.0 is retired" in shell("publish-proposal", fqn)
    assert "nothing to retire" in shell.refused("retire", fqn, "--reason", "moved")


def test_an_ask_about_compatible_terms_says_what_a_release_would_do(shell: Shell, tmp_path: Path) -> None:
    fqn, _ = publish_read_table(shell, tmp_path)
    wide = schema(tmp_path, "id", "coupon", "channel")
    assert "nothing breaks, so a release would publish it" in shell("publish", fqn, wide, "--ask")
    assert shell.json("asset", "show", fqn)["currentContract"]["version"] == "1.0.0"
    assert "needs the change set" in shell.refused("publish", fqn, wide, "--change-set-url", URL)
    assert "contradict" in shell.refused("publish", fqn, wide, "--ask", "--when-approved")


def test_the_inbox_has_each_meaning_of_silence_in_a_change_set(shell: Shell, tmp_path: Path) -> None:
    key, narrow = f"{fresh('repo')}#30", schema(tmp_path, "id")
    (first, reader), (second, _) = [publish_read_table(shell, tmp_path) for _ in range(2)]
    shell("register", second, "-t", reader, "-f", "coupon")
    shell("policy", "set", "high", "--due", "40", "--on-silence", "block")
    shell("asset", "tier", second, "high")
    for fqn in (first, second):
        shell("publish", fqn, narrow, "--ask", "--change-set", key, code=3)
    assert "\tthe proposal expires or it counts as a block\t" in shell("inbox", "-t", reader)


def test_a_second_change_set_learns_that_the_first_one_keeps_the_proposal(shell: Shell, tmp_path: Path) -> None:
    fqn, _ = publish_read_table(shell, tmp_path)
    narrow, first, second = schema(tmp_path, "id"), f"{fresh('repo')}#1", f"{fresh('repo')}#2"
    shell("publish", fqn, narrow, "--ask", "--change-set", first, code=3)
    assert shell.stderr == ""
    shell("publish", fqn, narrow, "--ask", "--change-set", second, code=3)
    assert f"stays in the change set {first}, which asked first; {second} does not have it." in shell.stderr
    assert f"to move it: tessera withdraw {fqn}, then run this again" in shell.stderr
    shell("withdraw", fqn)
    shell("publish", fqn, narrow, "--ask", "--change-set", second, code=3)
    assert shell.stderr == ""


def test_a_team_is_listed_and_shown_with_those_who_answer_for_it(shell: Shell) -> None:
    team, delegate = fresh("finance"), fresh("ops")
    for name in (team, delegate):
        shell("team", "create", name)
    until = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    shell("team", "update", team, "--delegate", delegate, "--until", until, "--escalation", delegate)
    assert shell("team", "list", "--contains", team).strip().split("\t")[3:] == [delegate, f"{until}T00:00Z", delegate]
    properties = shell("team", "show", team)
    assert [f"{name.ljust(14)}  {delegate}\n" in properties for name in ("delegate", "escalation")] == [True, True]


def test_a_log_of_one_moment_covers_no_time_and_names_what_it_did_not_read(shell: Shell, tmp_path: Path) -> None:
    fqn, _ = publish_read_table(shell, tmp_path)
    source, log = fresh("snow"), tmp_path / "reads.csv"
    log.write_text(f'principal,asset,field,read_at,"role",\nx,{fqn},id,2026-01-01,r,\n')
    shell("usage", "create-source", source)
    report = shell("usage", "import", log, "--source", source, code=1)
    assert report.startswith("1 of 1 rows taken")
    assert "Covers no time: say with --from and --to" in report
    assert "not read: role, one without a name. Read are: principal, asset, field, read_at, count." in shell.stderr
    shell("usage", "import", log, "--source", source, "--from", "2026-01-01", "--to", "2026-01-02")


def test_a_wrong_input_is_refused_in_the_words_of_the_command(shell: Shell, tmp_path: Path) -> None:
    fqn, reader = publish_read_table(shell, tmp_path)
    narrow = schema(tmp_path, "id")
    registration = shell.json("asset", "show", fqn)["registrations"][0]["id"]
    mistakes = {
        "say with --owner which team acts": ("asset", "create", f"{fqn}_2"),
        "--type NONSENSE is no kind of asset": ("asset", "create", f"{fqn}_2", "--owner", reader, "--type", "nonsense"),
        "--ask publishes nothing, so --when-approved contradicts": ("publish", fqn, narrow, "--ask", "--when-approved"),
        "needs a --reason": ("publish", fqn, narrow, "--force"),
        "--until is the deadline of MIGRATING": ("ack", fqn, "APPROVED", "--until", "2031-01-01"),
        "Leave --team out": ("unregister", registration, "--team", reader),
        f"`tessera asset show {fqn}` lists its readers": ("unregister", fqn, "--team", _owner(shell, fqn)),
        "Look it up with `tessera usage rules`": ("usage", "unmap", "nosuch*"),
        "`tessera debts` lists the ids": ("acknowledge-debt", "nosuch"),
        "in --after is not the cursor": ("watch", "-n", "1", "--after", "nosuch"),
    }
    for advice, command in mistakes.items():
        shell(*command, code=2)
        assert advice in shell.stderr
        assert not re.search(r"\b[a-z]+[A-Z]\w*", shell.stderr), shell.stderr


def test_a_replacement_that_names_nothing_is_announced_with_a_warning(shell: Shell, tmp_path: Path) -> None:
    fqn, _ = publish_read_table(shell, tmp_path)
    day = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    announce = ("deprecate", fqn, "--field", "coupon", "--sunset", day, "--replacement")
    assert shell(*announce, "idd") == f"{fqn}.coupon goes on {day}.\n"
    assert f"note: The replacement idd is neither a field of {fqn} nor an asset. Nearest: id." in shell.stderr
    shell(*announce, "id")
    assert shell.stderr == ""


def _owner(shell: Shell, fqn: str) -> str:
    return str(shell.json("asset", "show", fqn)["owner"]["name"])
