"""A question says who asks, why, what breaks, until when and what silence means, and has commands to paste."""

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tessera_gql.cli.asks import AskSummary

PRINT = """
import sys
from datetime import UTC, datetime
from tessera_gql.cli.asks import AskSummary, print_ask
print_ask(AskSummary(
    subject="github.com/shop/warehouse#17", team="finance", until=datetime(2031, 1, 1, 11, tzinfo=UTC),
    silence_means="the proposal expires", asked_by="shop", reason="Coupons move to a table of their own.",
    changes=["coupon was removed."] * 12, change_count=14,
    tables=["analytics.marts.a_table_with_a_long_name_for_a_terminal"], table_count=1,
    paths=["orders.coupon → stg_orders.coupon"], is_change_set=True, title="Coupons",
))
"""


def print_ask_on_a_terminal(columns: int, **variables: str) -> list[str]:
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(columns), "TZ": "Europe/Berlin", **variables}
    completed = subprocess.run(
        [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True
    )
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", completed.stdout).splitlines()]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_question_has_everything_and_neither_names_nor_commands_are_broken(columns: int) -> None:
    lines = print_ask_on_a_terminal(columns)
    text = " ".join(" ".join(lines).split())
    assert lines[0] == "github.com/shop/warehouse#17: Coupons"
    assert "asked by shop" in text
    assert "why Coupons move to a table of their own." in text
    assert "finance until 2031-01-01 12:00 CET; without an answer the proposal expires" in text
    assert "and 4 more" in text
    assert "via orders.coupon → stg_orders.coupon" in text
    assert any(line.endswith("analytics.marts.a_table_with_a_long_name_for_a_terminal") for line in lines)
    for label, answer in (("agree", "APPROVED"), ("migrate", "MIGRATING"), ("object", "BLOCKED")):
        (line,) = [line for line in lines if line.strip().startswith(label)]
        assert f"tessera ack {answer} --change-set 'github.com/shop/warehouse#17' --team finance" in line


def test_in_a_pipe_the_time_is_utc_and_no_line_has_escape_sequences() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "TTY_COMPATIBLE"}}
    completed = subprocess.run(
        [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True
    )
    assert "until 2031-01-01T11:00Z; without an answer" in completed.stdout
    assert "\x1b" not in completed.stdout


def test_with_no_color_a_terminal_gets_no_escape_sequences() -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "1"}
    completed = subprocess.run(
        [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True
    )
    assert "\x1b" not in completed.stdout


def test_the_answers_of_a_hostile_team_and_asset_are_words_of_a_shell() -> None:
    team, fqn = "a'; rm -rf ~ #", "-x.$(reboot)"
    ask = AskSummary(fqn, team, datetime(2031, 1, 1, tzinfo=UTC), None, None, None, [], 0)
    for command in (*ask.answer_commands, ask.details_command):
        arguments = shlex.split(command)
        assert arguments[0] == "tessera"
        assert fqn in arguments
    assert team in shlex.split(ask.answer_commands[0])
