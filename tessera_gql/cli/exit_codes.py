"""Exit codes of all commands, and their description in the help."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes for scripts. docs/cli.md and every `--help` list their meanings."""

    DONE = 0
    NEGATIVE = 1
    REFUSED = 2
    WAITING = 3
    UNAVAILABLE = 4
    DEFECT = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.NEGATIVE: "the answer is no: it breaks a team, is blocked, differs, proves nothing or was tampered with",
    ExitCode.REFUSED: "refused: wrong input, settings, key, address or state",
    ExitCode.WAITING: "waiting for the answers of other teams",
    ExitCode.UNAVAILABLE: "the server or the database can't be reached, is busy or failed",
    ExitCode.DEFECT: "a defect of this program",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."
