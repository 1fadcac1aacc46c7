"""How far a manifest has come: a bar in a terminal, a line for each phase in a pipe, on stderr, never among answers."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tessera_gql.cli.remote import err
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
    elif err.is_terminal:
        with _bar(name) as hear:
            yield hear
    else:
        yield _Lines(f"{name} ({size / 1e6:.0f} MB)").hear


@contextmanager
def _bar(name: str) -> Generator[Hear]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=err, transient=True) as bar:
        task, phase = bar.add_task(name, total=None), ""

        def hear(progress: Progress) -> None:
            nonlocal task, phase
            if progress.phase != phase:
                phase = progress.phase
                bar.remove_task(task)
                task = bar.add_task(f"{name}: {SAID.get(phase, phase.lower())}", total=progress.total or None)
            bar.update(task, completed=progress.done)

        yield hear


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
        err.print(f"{self._name}: {SAID.get(progress.phase, progress.phase.lower())}{of} …", markup=False)
