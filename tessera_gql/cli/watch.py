"""`tessera watch`: print the events of a team as they happen, resuming after restarts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect, load_current_cursor
from tessera_gql.cli.terminal import (
    STATUS_COLOURS,
    JsonOption,
    fail,
    is_terminal,
    print_json_text,
    print_line,
    print_note,
)
from tessera_gql.client.errors import BadRequest, CursorExpired
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client import Event

UNKNOWN_KIND = re.compile(r"Value '(?P<kind>[^']*)' does not exist in 'EventKind' enum")


def watch(
    team: TeamOption = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only events of this kind; repeatable.")] = None,
    after: Annotated[str | None, typer.Option(help="Cursor to resume after.")] = None,
    cursor_file: Annotated[
        Path | None, typer.Option(help="File for the last cursor, from which the next run resumes.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Exit after this many events.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the events of a team as they happen; without a team, all events. Stop with Ctrl-C.

    Example: tessera watch --team finance --cursor-file ~/.finance-cursor
    """
    with connect() as client:
        watched_team = client.get_team(team) if team else client.viewer().team
        start = after or _read_cursor(cursor_file) or load_current_cursor(client)
        if cursor_file:
            _write_cursor(cursor_file, start)
        events = client.subscribe(team_id=watched_team.id if watched_team else None, kinds=kind or (), after=start)
        subject = watched_team.name if watched_team else "everything"
        print_note((f"Watching {subject} at {client.endpoint.display_url} …", "dim"))
        for number, event in enumerate(_explain_kinds(events), 1):
            _print_event(event, as_json=as_json)
            if cursor_file:
                _write_cursor(cursor_file, event.cursor)
            if number == count:
                return


def _explain_kinds(events: Iterator[Event]) -> Iterator[Event]:
    """Iterate over events, and explain an expired cursor and a kind that the server does not know."""
    try:
        yield from events
    except CursorExpired as error:
        start = f" Go on with `tessera watch --after {error.cursor}`." if error.cursor else ""
        raise fail(f"{error.message.partition(', and start anew')[0].removesuffix('.')}.{start}") from None
    except BadRequest as error:
        if (match := UNKNOWN_KIND.search(error.message)) is None:
            raise
        from tessera_gql.policy.visibility import ALL_EVENT_KINDS  # noqa: PLC0415 - only for this message

        nearest = get_close_matches(match["kind"].upper(), sorted(ALL_EVENT_KINDS), n=3, cutoff=0.5)
        hint = f" Nearest: {', '.join(nearest)}." if nearest else " `tessera watch` without --kind prints all kinds."
        raise fail(f"--kind {match['kind']} is no kind of event.{hint}") from None


def _print_event(event: Event, *, as_json: bool) -> None:
    if as_json:
        print_json_text(event.model_dump_json(by_alias=True))
        return
    if is_terminal():
        occurred_at = event.occurred_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    else:
        occurred_at = event.occurred_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    about = event.asset.fqn if event.asset else event.payload.get("name") or ""
    line = f"{occurred_at}  {event.kind:<24}  {about}  {summarize_event(event)}".rstrip()
    status = str(event.payload.get("after") or event.payload.get("response") or "")
    print_line((line, STATUS_COLOURS.get(status, "")))


def summarize_event(event: Event) -> str:
    """Summarize an event, with the command that answers it."""
    payload, proposal = event.payload, event.proposal
    match event.kind:
        case "ACKNOWLEDGMENT_REQUESTED" if proposal:
            changes = "; ".join(change.message for change in proposal.breaking_changes)
            command = build_tessera_command("ack", proposal.asset.fqn, "APPROVED")
            return f"{changes}  Answer: {command} (or MIGRATING, BLOCKED)"
        case "CHANGE_SET_SILENCE_COUNTED" | "CHANGE_SET_ASKS_ESCALATED" | "CHANGE_SET_MIGRATIONS_OVERDUE":
            return f"{payload.get('key')}: {', '.join(map(str, payload.get('tables') or ()))}"
        case "CHANGE_SET_ACKNOWLEDGMENT_REQUESTED" | "CHANGE_SET_REMINDER_SENT":
            command = build_tessera_command("ack", "APPROVED", **{"change-set": str(payload.get("key"))})
            tables = ", ".join(map(str, payload.get("tables") or ()))
            return f"{payload.get('key')}: {tables}  Answer: {command} (or MIGRATING, BLOCKED)"
        case "PROPOSAL_STATUS_CHANGED":
            return f"{payload.get('before')} → {payload.get('after')}"
        case "PROPOSAL_ANSWERED":
            return str(payload.get("response") or "")
        case "CONTRACT_PUBLISHED":
            return str(payload.get("version") or "")
        case _:
            return ""


def _read_cursor(file: Path | None) -> str | None:
    return file.read_text().strip() or None if file and file.exists() else None


def _write_cursor(file: Path, cursor: str) -> None:
    temporary_file = file.with_name(f"{file.name}.new")
    temporary_file.write_text(cursor)
    temporary_file.replace(file)
