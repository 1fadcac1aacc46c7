"""How far a manifest has come: a bar in a terminal, a line for each phase in a pipe, on stderr, never among answers."""

from collections.abc import Generator
from contextlib import contextmanager

from tessera_gql.cli.terminal import is_stderr_terminal, print_note, progress_bar
from tessera_gql.client import Progress
from tessera_gql.client.progress import Hear

QUIET_BYTES = 1_000_000
"""What is smaller is over before one could read that it goes on."""

SAID = {
    "UPLOAD": "uploading",
    "READ": "reading",
    "COMPARE": "comparing with what is there",
    "CREATE": "creating",
    "READERS": "finding readers",
    "PUBLISH": "publishing what changed",
    "COMMIT": "committing",
}


@contextmanager
def showing(name: str, size: int, *, as_json: bool) -> Generator[Hear | None]:
    """None where nobody is to be told."""
    if as_json or size < QUIET_BYTES:
        yield None
    elif is_stderr_terminal():
        with progress_bar(name) as show:
            yield lambda progress: show(_phase(progress), progress.done, progress.total or None)
    else:
        yield _Lines(f"{name} ({size / 1e6:.0f} MB)").hear


def _phase(progress: Progress) -> str:
    return SAID.get(progress.phase, progress.phase.lower())


class _Lines:
    """Each phase once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._phase = ""

    def hear(self, progress: Progress) -> None:
        if progress.phase == self._phase:
            return
        self._phase = progress.phase
        of = f" {progress.total:,} tables" if progress.total and progress.phase != "UPLOAD" else ""
        print_note(f"{self._name}: {_phase(progress)}{of} …")
