"""`tessera git`: sync contracts between the database and files in the folder GIT_SYNC_PATH."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_note
from tessera_gql.policy.access import ADMIN_SCOPES, Actor
from tessera_gql.store.database import Database
from tessera_gql.workflows.git import sync
from tessera_gql.workflows.git.folder import Commit

ACTOR = Actor("tessera git", scopes=frozenset(ADMIN_SCOPES))

app = typer.Typer(help="Sync contracts with files in a git repository.", no_args_is_help=True)

FolderOption = Annotated[Path | None, typer.Option(help="Folder to use instead of GIT_SYNC_PATH.", file_okay=False)]


@app.command()
def push(
    folder: FolderOption = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Commit the files with this message.")] = None,
    author: Annotated[str | None, typer.Option(help="Author of the commit: `Name <address>`.")] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the files of teams and assets that the database does not have.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one file per team, asset and policy of asks, all or nothing. A file that was moved is updated where it is.

    Files of teams and assets that the database does not have stay and are listed, unless --prune removes them.
    """
    target_folder = folder or read_settings().git_sync_path
    commit = None if message is None else Commit(message, author)

    async def push_files(database: Database) -> dict[str, Any]:
        async with database.read() as session:
            result = asdict(await sync.push(session, ACTOR, target_folder, commit=commit, prune=prune))
            return {"written": result.pop("changed")} | result

    report = run_on_database(push_files)
    if as_json:
        print_json(report)
        return
    for mark, names in (("+", report["written"]), ("-", report["removed"]), ("?", report["unknown"])):
        for name in names:
            print_line(f"{mark} {name}")
    written_count, removed_count = len(report["written"]), len(report["removed"])
    print_note(f"{written_count} written, {removed_count} removed, {report['unchanged']} as they were.")
    if report["unknown"]:
        print_note("The database has no team or asset for the files with a question mark: pull them, or push --prune.")
    if message is not None:
        print_note(f"Commit {report['commit']}." if report["commit"] else "Nothing to commit.")


@app.command()
def pull(
    folder: FolderOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run, report and roll back: nothing is written.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish newer versions from the files by the usual rules, all or nothing. Removes nothing."""
    source_folder = folder or read_settings().git_sync_path

    async def pull_files(database: Database) -> dict[str, Any]:
        files = await sync.read_files(ACTOR, source_folder)
        async with database.write(ACTOR.name, dry_run=dry_run) as session:
            return asdict(await sync.pull(session, ACTOR, files))

    report = run_on_database(pull_files)
    if as_json:
        print_json(report)
        return
    counts = [
        f"{number} {name.replace('_', ' ')}" for name, number in report.items() if name != "passed_over" and number
    ]
    print_line(", ".join(counts) if counts else "Everything is as the files say.")
    for reason in report["passed_over"]:
        print_note(reason)
