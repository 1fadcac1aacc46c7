"""`tessera git`: contracts as files in the folder that GIT_SYNC_PATH names, straight from and to the database."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import print_json, print_line, print_note
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store.database import Database
from tessera_gql.workflows import git
from tessera_gql.workflows.git_folder import Commit

ACTOR = Actor("tessera git", scopes=frozenset(Scope))

app = typer.Typer(help="Write contracts to files for a git repository, and read them back.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Instead of GIT_SYNC_PATH.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def push(
    folder: Folder = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Commit, with this message.")] = None,
    author: Annotated[str | None, typer.Option(help="Who the commit is by: `Name <address>`.")] = None,
    as_json: Json = False,
) -> None:
    """Write one file for each team and asset; files of what is gone are removed. All of it or nothing."""
    place = folder or read_settings().git_sync_path
    commit = None if message is None else Commit(message, author)

    async def work(database: Database) -> dict[str, Any]:
        async with database.read() as session:
            return asdict(await git.push(session, ACTOR, place, commit=commit))

    done = run_on_database(work)
    if as_json:
        print_json(done)
        return
    for mark, names in (("+", done["written"]), ("-", done["removed"])):
        for name in names:
            print_line(f"{mark} {name}")
    print_note(f"{len(done['written'])} written, {len(done['removed'])} removed, {done['unchanged']} as they were.")
    if message is not None:
        print_note(f"Commit {done['commit']}." if done["commit"] else "Nothing to commit.")


@app.command()
def pull(
    folder: Folder = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything, say what came, and take it back.")] = False,
    as_json: Json = False,
) -> None:
    """Merge what the files say: what is newer is published by the usual rules, nothing is removed. All or nothing."""
    place = folder or read_settings().git_sync_path

    async def work(database: Database) -> dict[str, Any]:
        files = await git.read(ACTOR, place)
        async with database.write(ACTOR.name, dry_run=dry_run) as session:
            return asdict(await git.pull(session, ACTOR, files))

    done = run_on_database(work)
    if as_json:
        print_json(done)
        return
    said = [f"{number} {what.replace('_', ' ')}" for what, number in done.items() if what != "passed_over" and number]
    print_line(", ".join(said) if said else "Everything is as the files say.")
    for sentence in done["passed_over"]:
        print_note(sentence)
