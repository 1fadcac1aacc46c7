"""`tessera`: the command line. A command is a shell around a verb: it reads words, runs one thing and says what came of it."""

import typer

from tessera_gql.cli import audit, database, keys, serve, worker

app = typer.Typer(
    name="tessera",
    help="Data contracts as a graph: a breaking change waits until the teams it hurts have answered.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(serve.schema)
app.command()(worker.worker)
app.add_typer(audit.app, name="audit")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """The console script."""
    app()
