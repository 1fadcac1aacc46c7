"""A question to a team, as all commands print it: who asks, why, what breaks, until when, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tessera_gql.cli.terminal import format_moment, print_entry, print_line
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

MAX_LISTED = 10
"""Tables or changes of one question that are listed; further ones are counted."""
LABEL_WIDTH = 10


@dataclass(frozen=True)
class AskSummary:
    """What is asked of a team by a proposal or a change set.

    `subject` is the fqn of the asset, or the key of the change set, and `is_change_set` says which. `changes` and
    `tables` may be the first of more; `change_count` and `table_count` count all of them. `asked_by` is None where a
    command has named the team that asks already.
    """

    subject: str
    team: str
    until: datetime
    silence_means: str | None
    asked_by: str | None
    reason: str | None
    changes: Sequence[str]
    change_count: int
    paths: Sequence[str] = ()
    tables: Sequence[str] = ()
    table_count: int = 0
    is_change_set: bool = False
    title: str | None = None

    @property
    def answer_commands(self) -> tuple[str, str, str]:
        """The commands to consent, to migrate and to object."""
        arguments, options = self._arguments
        return (
            build_tessera_command(*arguments, "APPROVED", **options),
            build_tessera_command(*arguments, "MIGRATING", **options, until="DATE"),
            build_tessera_command(*arguments, "BLOCKED", **options, notes="REASON"),
        )

    @property
    def _arguments(self) -> tuple[tuple[str, ...], dict[str, str]]:
        if self.is_change_set:
            return ("ack",), {"change-set": self.subject, "team": self.team}
        return ("ack", self.subject), {"team": self.team}

    @property
    def details_command(self) -> str:
        if self.is_change_set:
            return build_tessera_command("change-set", "show", self.subject)
        return build_tessera_command("proposal", self.subject)


def describe_silence(until: datetime, silence_means: str | None) -> str:
    """Describe until when an answer is awaited, in local time, and what happens without one."""
    return f"until {format_moment(until)}" + (f"; without an answer {silence_means}" if silence_means else "")


def print_ask(ask: AskSummary) -> None:
    """Print a question as a block of labelled lines."""
    print_line((ask.subject, "bold"), f": {ask.title}" if ask.title else "")
    for label, text in _list_facts(ask):
        print_entry((f"  {label}", "dim"), text, width=LABEL_WIDTH)
    for label, command in _list_commands(ask):  # not wrapped, because a part of a command is another command
        print_line((f"  {label}".ljust(LABEL_WIDTH + 2), "dim"), command)


def _list_facts(ask: AskSummary) -> Iterator[tuple[str, str]]:
    if ask.asked_by:
        yield "asked by", ask.asked_by
    if ask.reason:
        yield "why", ask.reason
    for table in _limit(ask.tables, ask.table_count):
        yield "table", table
    for change in _limit(ask.changes, ask.change_count):
        yield "breaks", change
    for path in ask.paths[:MAX_LISTED]:
        yield "via", path
    yield "asks", f"{ask.team} {describe_silence(ask.until, ask.silence_means)}"


def _list_commands(ask: AskSummary) -> Iterator[tuple[str, str]]:
    consent, migrate, block = ask.answer_commands
    yield "agree", consent
    yield "migrate", migrate
    yield "object", block
    if ask.asked_by:
        yield "details", ask.details_command


def _limit(texts: Sequence[str], count: int) -> list[str]:
    listed = [*texts[:MAX_LISTED]]
    return [*listed, f"and {count - len(listed)} more"] if count > len(listed) else listed
