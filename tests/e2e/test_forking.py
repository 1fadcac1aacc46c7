"""Forks need private names of the standard library; without them the program is started by its path."""

import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.forking import ForkedProgram, has_private_names, start_program
from tests.e2e.server import environment

# Elsewhere `start_program` never forks: libraries of macOS don't survive a fork, and Windows has none.
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="programs are started by their path here, because only Linux forks them safely"
)


class _OtherParameters(subprocess.Popen[Any]):
    def _execute_child(self, command: Any, *, pipes: Any) -> None: ...


class _WithoutPrivateNames:
    pass


def test_a_python_without_the_private_names_of_a_fork_is_recognized() -> None:
    assert has_private_names(subprocess.Popen), f"Python {sys.version} starts processes in another way: forks are slow"
    assert not has_private_names(_OtherParameters)
    assert not has_private_names(_WithoutPrivateNames)


@pytest.mark.long
def test_a_fork_has_the_exit_code_and_the_streams_of_a_process() -> None:
    for variables in ({}, {"PYTHONUTF8": "1"}):
        with start_program(["nonsense"], environment(**variables), stderr=subprocess.PIPE, text=True) as process:
            _, stderr = process.communicate(timeout=30)
        assert (isinstance(process, ForkedProgram), process.returncode) == (not variables, 2)
        assert "No such command" in stderr
