"""`tessera db`: the tables of the database named by DATABASE_URL."""

import asyncio

import typer

from tessera_gql.cli.terminal import fail, out, settings, told
from tessera_gql.store import migration

app = typer.Typer(help="Create, upgrade and inspect the database.", no_args_is_help=True)


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Where to; `head` is the newest.")) -> None:
    """Bring the database to the tables this version needs."""
    known = settings()
    url = known.database_url
    with told(), _known():
        asyncio.run(migration.upgrade(url, revision, known.options))
        out.print(f"The database is at revision {asyncio.run(migration.current(url))}.")


@app.command()
def downgrade(
    revision: str = typer.Argument(help="Where to; `base` removes every table and all that is in them."),
) -> None:
    """Take the tables back to an earlier revision."""
    url = settings().database_url
    with told(), _known():
        asyncio.run(migration.downgrade(url, revision))
        out.print(f"The database is at revision {asyncio.run(migration.current(url)) or 'none'}.")


@app.command()
def current() -> None:
    """Say at which revision the database is; exit 1 if this version needs another."""
    url = settings().database_url
    with told():
        at, head = asyncio.run(migration.current(url)), migration.head()
        out.print(f"{at or 'none'} (this version needs {head})")
        if at != head:
            raise typer.Exit(1)


class _known:  # noqa: N801 - reads as a clause
    """An unknown revision is the caller's mistake, not a fault."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, migration.UnknownRevision):
            raise fail(str(error)) from None
