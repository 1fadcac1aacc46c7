"""Error handling of all commands: an exception becomes one line on stderr and an exit code."""

from __future__ import annotations

import os
import re
from typing import Any

from typer.exceptions import Abort, TyperException

from tessera_gql.cli.api_terms import to_command_terms
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail
from tessera_gql.client import errors as client_errors
from tessera_gql.errors import Refusal, Unavailable

TRACEBACK_VARIABLE = "TESSERA_TRACEBACK"
"""Environment variable: if set, a defect prints its traceback."""

OPTION_FAULTS = (
    (re.compile(r"Input should be a valid datetime or date\b.*"), "it is no date, such as 2031-01-01"),
    (re.compile(r"Input should be a valid integer\b.*"), "it is no whole number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be at least \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"it must be at most \1"),
    (re.compile(r"does not match the formats .*"), "is no time. Write it as 2031-01-01 or 2031-01-01T12:00:00"),
)
"""What the parser of options says about a value, and what a command says."""


def report_error(error: Exception) -> int:
    """Print an error on one line and return the exit code."""
    message, code = describe_error(error)
    if code is ExitCode.DEFECT and os.environ.get(TRACEBACK_VARIABLE):
        raise error
    if message:
        fail(message, code)
    return code


def describe_error(error: Exception) -> tuple[str, ExitCode]:
    match error:
        case TyperException():
            return _describe_usage_error(error), ExitCode.REFUSED
        case Abort():
            return "Nothing was entered.", ExitCode.INTERRUPTED
        case Refusal():
            return to_command_terms(error.message), ExitCode.REFUSED
        case Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case OSError():
            reason = f"can't be read or written: {error.strerror or error}."
            return f"{error.filename or 'A file'} {reason}", ExitCode.REFUSED
        case _:
            defect = (
                f"This is a defect of tessera: {type(error).__name__}: {error}."
                f" Run it again with {TRACEBACK_VARIABLE}=1 to see where, and report that."
            )
            return _describe_client_error(error) or (defect, ExitCode.DEFECT)


def _describe_usage_error(error: TyperException) -> str:
    """Describe a usage error; empty if the help was printed instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    hint = f" `{context.command_path} --help` explains it." if context else ""
    message = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
    for pattern, text in OPTION_FAULTS:
        message = pattern.sub(text, message)
    if isinstance(value := _find_value(error), str | int | float) and str(value) not in message:
        message = message.replace("': ", f"' {value}: ", 1)
    message = message.replace("(Possible options: ", "(nearest: ")
    return f"{message if message.endswith('?') else message.rstrip('.') + '.'}{hint}"


def _find_value(error: TyperException) -> object:
    """Find the value of an option that does not meet its type; None if the error has none."""
    errors: Any = getattr(error.__cause__, "errors", None)
    return errors()[0].get("input") if errors else None


def _describe_client_error(error: Exception) -> tuple[str, ExitCode] | None:
    match error:
        case client_errors.Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case client_errors.ServerFault():
            reference = f" Its log has more under {error.reference}." if error.reference else ""
            return f"{error.message}{reference}", ExitCode.UNAVAILABLE
        case client_errors.Unauthenticated():
            return to_command_terms(error.message), ExitCode.REFUSED
        case client_errors.Refusal():
            return to_command_terms(error.message, error.field), ExitCode.REFUSED
        case client_errors.TesseraError():
            return to_command_terms(error.message), ExitCode.REFUSED
        case _:
            return None
