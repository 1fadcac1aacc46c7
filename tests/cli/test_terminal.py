"""Tables keep what a reader copies, on a narrow terminal as well."""

import os
import re
import subprocess
import sys

from typer import BadParameter

from tessera_gql.cli.errors import describe_error

PRINT_TABLE = """
from datetime import UTC, datetime
from tessera_gql.cli.terminal import print_table
row = (datetime(2031, 1, 1, tzinfo=UTC), ["github.com/shop/warehouse#17", "b"], "x" * 60, "some words to be wrapped")
print_table(("due", "keys", "id", "what"), [row, row])
"""
WHOLE = ("2031-01-01T00:00Z", "github.com/shop/warehouse#17,", "x" * 60)


def print_table_on_a_terminal(columns: int) -> str:
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-c", PRINT_TABLE]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return re.sub(r"\x1b\[[0-9;]*m", "", printed)


def test_a_table_wraps_between_words_and_leaves_names_and_times_whole() -> None:
    lines = print_table_on_a_terminal(130).splitlines()
    assert lines[0].split() == ["due", "keys", "id", "what"]
    assert [line.split()[:3] for line in lines if WHOLE[0] in line] == [[*WHOLE]] * 2
    assert max(map(len, lines)) <= 130
    assert len(lines) > 3


def test_a_terminal_that_is_too_narrow_for_a_name_gets_a_block_for_each_row() -> None:
    block = [f"due   {WHOLE[0]}", f"keys  {WHOLE[1]} b", f"id    {WHOLE[2]}", "what  some words to be wrapped"]
    assert print_table_on_a_terminal(60).splitlines() == [*block, "", *block]


def test_a_mistaken_option_is_explained_without_the_words_of_the_parser() -> None:
    date, _ = describe_error(BadParameter("Input should be a valid datetime or date, input is too short"))
    assert "it is no date, such as 2031-01-01" in date
    tier, _ = describe_error(BadParameter("Invalid value for 'tier': Value error, 'huge' is not one of 'low'"))
    assert "'tier': 'huge' is not one of 'low'." in tier
