"""A bot that prints the proposals a team must acknowledge, and resumes after a restart of the server or itself.

    python examples/watch.py finance

It reads TESSERA_URL and TESSERA_API_KEY. Its cursor is in the file TEAM.cursor, so that it also prints what happened
while it was not running.
"""

import sys
from pathlib import Path

from tessera_gql.client import TesseraClient, TesseraError
from tessera_gql.escaping import build_tessera_command, escape_terminal


def print_escaped(text: str) -> None:
    """Print text with control characters escaped: names and messages come from other teams."""
    print(escape_terminal(text), flush=True)


def report_disconnect(reason: str) -> None:
    print(f"{escape_terminal(reason)}; coming back …", file=sys.stderr)


def watch(team: str, cursor_file: Path, count: int | None) -> None:
    after = cursor_file.read_text() if cursor_file.exists() else None
    with TesseraClient(on_disconnect=report_disconnect) as tessera:
        print(f"Watching for {team} at {tessera.endpoint.display_url}", file=sys.stderr, flush=True)
        for number, request in enumerate(tessera.acknowledgment_requests(team, after=after), 1):
            if request.proposal:
                asset, version = request.proposal.asset.fqn, request.proposal.proposed_version
                print_escaped(f"{team}: {asset} {version or 'retired'} would break you.")
                for change in request.proposal.breaking_changes:
                    print_escaped(f"  {change.message}")
                print_escaped(f"  Answer with: {build_tessera_command('ack', asset, 'APPROVED', team=team)}")
            cursor_file.write_text(request.cursor)  # last, so that a crash repeats a request and loses none
            if number == count:
                return


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("Which team? python examples/watch.py TEAM [COUNT]")
    team = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else None
    try:
        watch(team, Path(f"{team}.cursor"), count)
    except TesseraError as error:
        sys.exit(escape_terminal(error.message))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
