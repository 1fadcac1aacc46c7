"""`tessera watch`: what concerns a team, as it happens; goes on over restarts of the server, and of itself."""

from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.remote import Json, Team, connected
from tessera_gql.cli.terminal import COLOURS, is_terminal, print_json_text, print_line, print_note
from tessera_gql.client import Event
from tessera_gql.client.stream import NOW
from tessera_gql.escaping import tessera_command


def watch(
    team: Team = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only events of this kind; repeatable.")] = None,
    after: Annotated[str | None, typer.Option(help="The last cursor that was seen.")] = None,
    cursor_file: Annotated[
        Path | None, typer.Option(help="Keeps the last cursor, so that the next run goes on behind it.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Leave after so many.")] = None,
    as_json: Json = False,
) -> None:
    """Print what concerns a team, as it happens; without a team, everything. Stop with Ctrl-C.

    Example: tessera watch --team finance --cursor-file ~/.finance-cursor
    """
    with connected(retries=4) as client:
        watched = client.get_team(team) if team else client.viewer().team
        start = after or _kept(cursor_file) or client.run(NOW)
        if cursor_file:
            _keep(cursor_file, start)
        events = client.subscribe(team_id=watched.id if watched else None, kinds=kind or (), after=start)
        print_note((f"Watching {watched.name if watched else 'everything'} at {client.target.address} …", "dim"))
        for number, event in enumerate(events, 1):
            _tell(event, as_json=as_json)
            if cursor_file:
                _keep(cursor_file, event.cursor)
            if number == count:
                return


def _tell(event: Event, *, as_json: bool) -> None:
    if as_json:
        print_json_text(event.model_dump_json(by_alias=True))
        return
    at = event.occurred_at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if is_terminal() else _moment(event)
    print_line((_line(at, event), _style(event)))


def _moment(event: Event) -> str:
    return event.occurred_at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _line(at: str, event: Event) -> str:
    about = event.asset.fqn if event.asset else event.payload.get("name") or ""
    return f"{at}  {event.kind:<24}  {about}  {sentence(event)}".rstrip()


def sentence(event: Event) -> str:
    """What a person needs to know of it, and to do about it."""
    facts, proposal = event.payload, event.proposal
    match event.kind:
        case "ACKNOWLEDGMENT_REQUESTED" if proposal:
            because = "; ".join(change.message for change in proposal.breaking_changes)
            return (
                f"{because}  Answer: {tessera_command('ack', proposal.asset.fqn, 'APPROVED')} (or MIGRATING, BLOCKED)"
            )
        case "PROPOSAL_STATUS_CHANGED":
            return f"{facts.get('before')} → {facts.get('after')}"
        case "PROPOSAL_ANSWERED":
            return str(facts.get("response") or "")
        case "CONTRACT_PUBLISHED":
            return str(facts.get("version") or "")
        case _:
            return ""


def _style(event: Event) -> str:
    return COLOURS.get(str(event.payload.get("after") or event.payload.get("response") or ""), "")


def _kept(file: Path | None) -> str | None:
    return file.read_text().strip() or None if file and file.exists() else None


def _keep(file: Path, cursor: str) -> None:
    beside = file.with_name(f"{file.name}.new")
    beside.write_text(cursor)
    beside.replace(file)
