"""Progress of an upload on stderr: a bar on a terminal, a line per phase in a pipe."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tessera_gql.cli.terminal import is_stderr_terminal, print_note, progress_bar

if TYPE_CHECKING:
    from tessera_gql.client import Progress
    from tessera_gql.client.progress import ProgressCallback

MIN_PROGRESS_BYTES = 1_000_000
"""Smaller manifests finish too fast to need progress."""

PHASE_LABELS = {
    "UPLOAD": "uploading",
    "READ": "reading",
    "COMPARE": "comparing with what is there",
    "CREATE": "creating",
    "READERS": "finding readers",
    "PUBLISH": "publishing what changed",
    "COMMIT": "committing",
}


@contextmanager
def show_progress(name: str, size: int, *, as_json: bool) -> Generator[ProgressCallback | None]:
    """Yield the callback that shows progress, or None for small files and JSON output."""
    if as_json or size < MIN_PROGRESS_BYTES:
        yield None
    elif is_stderr_terminal():
        with progress_bar(name) as show:
            yield lambda progress: show(_label_phase(progress), progress.completed, progress.total or None)
    else:
        yield _build_phase_printer(f"{name} ({size / 1e6:.0f} MB)")


def _label_phase(progress: Progress) -> str:
    return PHASE_LABELS.get(progress.phase, progress.phase.lower())


def _build_phase_printer(name: str) -> ProgressCallback:
    """Build a callback that prints a line at the start of each phase."""
    phase = ""

    def print_phase(progress: Progress) -> None:
        nonlocal phase
        if progress.phase != phase:
            phase = progress.phase
            total = f" {progress.total:,} tables" if progress.total and phase != "UPLOAD" else ""
            print_note(f"{name}: {_label_phase(progress)}{total} …")

    return print_phase
