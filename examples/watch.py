"""A bot that tells a team what it is asked, and misses nothing: not over a restart of the server, nor over its own.

    python examples/watch.py finance

Reads TESSERA_URL and TESSERA_API_KEY. The place it has come to is kept in FILE.cursor beside it; what happens while it
is not running is told when it is started again.
"""

import sys
from pathlib import Path

from tessera_gql.client import TesseraClient, TesseraError
from tessera_gql.escaping import escape_terminal, tessera_command


def say(text: str) -> None:
    """Names and messages come from other teams: nothing in them may steer the terminal."""
    print(escape_terminal(text), flush=True)


def lost(reason: str) -> None:
    print(f"{escape_terminal(reason)}; coming back …", file=sys.stderr)


def watch(team: str, place: Path, count: int | None) -> None:
    after = place.read_text() if place.exists() else None
    with TesseraClient(on_disconnect=lost) as tessera:
        print(f"Watching for {team} at {tessera.endpoint.display_url}", file=sys.stderr, flush=True)
        for number, request in enumerate(tessera.acknowledgment_requests(team, after=after), 1):
            if request.proposal:
                asset, version = request.proposal.asset.fqn, request.proposal.proposed_version
                say(f"{team}: {asset} {version} would break you.")
                for change in request.proposal.breaking_changes:
                    say(f"  {change.message}")
                say(f"  Answer with: {tessera_command('ack', asset, 'APPROVED', team=team)}")
            place.write_text(request.cursor)  # only now: told once more is better than never
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
