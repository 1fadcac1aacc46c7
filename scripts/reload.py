"""Run `tessera serve` with the given options, and restart it when a source file changes.

The server's own command runs each time, with its checks, its lock and its shutdown, so development differs from
production in nothing but the restarts. Files are compared by modification time twice a second.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WATCHED = ("tessera_gql/**/*.py", "migrations/**/*.py", ".env")
PAUSE_SECONDS = 0.5


def modification_times() -> dict[Path, int]:
    """The modification time of each watched file, in nanoseconds."""
    times: dict[Path, int] = {}
    for pattern in WATCHED:
        for path in ROOT.glob(pattern):
            try:
                times[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor replaced it meanwhile
    return times


def wait_for_change(before: dict[Path, int]) -> Path:
    """Return one of the files that were added, changed or removed."""
    while True:
        time.sleep(PAUSE_SECONDS)
        after = modification_times()
        if changed := dict(before.items() ^ after.items()):
            return next(iter(changed))


def start(options: list[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tessera_gql", "serve", *options]
    return subprocess.Popen(command, cwd=ROOT)


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server as a supervisor would, so that open requests are answered first."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    server.wait()


def main(options: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        before = modification_times()
        server = start(options)
        try:
            changed = wait_for_change(before)
            print(f"{changed.relative_to(ROOT)} changed: restarting ...", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            return 0
        finally:
            stop(server)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
