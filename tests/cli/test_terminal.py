"""Tables on a narrow terminal keep what a reader copies."""

import os
import subprocess
import sys

from typer import BadParameter

from tessera_gql.cli.errors import describe_error

PRINT_TABLE = """
from datetime import UTC, datetime
from tessera_gql.cli.terminal import print_table
print_table(("due", "key", "id"), [(datetime(2031, 1, 1, tzinfo=UTC), "github.com/shop/warehouse#17", "x" * 60)])
"""


def test_a_narrow_terminal_folds_names_and_leaves_times_whole() -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm"}
    run = subprocess.run(
        [sys.executable, "-c", PRINT_TABLE], env=environment, capture_output=True, text=True, check=True
    )
    assert "2031-01-01T00:00Z" in run.stdout
    assert "…" not in run.stdout
    assert run.stdout.count("x") == 60


def test_a_mistaken_option_is_explained_without_the_words_of_the_parser() -> None:
    date, _ = describe_error(BadParameter("Input should be a valid datetime or date, input is too short"))
    assert "it is no date, such as 2031-01-01" in date
    tier, _ = describe_error(BadParameter("Invalid value for 'tier': Value error, 'huge' is not one of 'low'"))
    assert "'tier': 'huge' is not one of 'low'." in tier
