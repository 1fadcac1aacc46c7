"""`tessera serve` and `tessera schema`: run the server, print its schema."""

import asyncio
import os
import sys
import webbrowser
from functools import partial

import typer

from tessera_gql.cli import demo as shop
from tessera_gql.cli.listener import bind_listener
from tessera_gql.cli.server_process import run
from tessera_gql.cli.settings import configure_logging, read_settings
from tessera_gql.cli.startup import check_jwks_file, lock_sqlite_file, prepare_database
from tessera_gql.cli.supervisor import Supervisor
from tessera_gql.cli.terminal import is_terminal, print_document, print_line, print_note
from tessera_gql.config import Settings
from tessera_gql.config.telemetry import Switch
from tessera_gql.graphql.schema import print_sdl
from tessera_gql.store.engine import sqlite_path
from tessera_gql.telemetry.metrics import shared_metrics_folder

DEMO_DATABASE = "sqlite:///tessera-demo.db"
FIRST_QUERY = "{ assets(first: 5) { nodes { fqn owner { name } currentContract { version } } } }"


def serve(
    demo: bool = typer.Option(False, "--demo", help="Serve demo data, by default in a separate database."),
    workers: int | None = typer.Option(None, "--workers", help="Number of server processes; overrides WORKERS."),
    open_browser: bool = typer.Option(False, "--open", help="Open the console in the browser."),
) -> None:
    """Run the server. Settings come from the environment; the default is SQLite on 127.0.0.1:8000."""
    if demo and "DATABASE_URL" not in os.environ:
        os.environ["DATABASE_URL"] = DEMO_DATABASE
    if workers is not None:
        os.environ["WORKERS"] = str(workers)
    settings = read_settings()
    configure_logging(settings)
    check_jwks_file(settings)
    listener = bind_listener(settings)
    _lock = lock_sqlite_file(settings)  # the lock lasts until the file object is closed
    asyncio.run(prepare_database(settings))
    if demo:
        asyncio.run(shop.seed(settings.database_url))
    host, port = listener.getsockname()[:2]
    url = f"http://{'localhost' if settings.has_open_profile else host}:{port}"
    _print_banner(url, settings, demo=demo)
    if open_browser and (page := _find_first_page(settings)) is not None and _has_browser():
        webbrowser.open(f"{url}{page}")
    if settings.workers == 1:
        raise typer.Exit(run(settings, listener))
    run_process = partial(run, settings, listener)
    with shared_metrics_folder():
        stop_seconds = settings.shutdown_delay_seconds + settings.shutdown_seconds
        raise typer.Exit(Supervisor(settings.workers, listener, run_process, stop_seconds).run())


def schema() -> None:
    """Print the GraphQL schema as SDL."""
    print_document(print_sdl(), end="")


def _find_first_page(settings: Settings) -> str | None:
    """Return the page that a browser opens first: the console, or GraphiQL; None if there is neither."""
    if settings.console is Switch.ON:
        return "/"
    return "/graphiql" if settings.has_open_profile else None


def _print_banner(url: str, settings: Settings, *, demo: bool) -> None:
    database = sqlite_path(settings.database_url) or "PostgreSQL"
    if settings.logs_json:
        print_note(f"Tessera GQL serves {url}/graphql from {database}")
        return
    print_note("")
    print_note(("Tessera GQL", "bold"), " serves ", (f"{url}/graphql", "bold"), f" from {database}")
    if settings.console is Switch.ON:
        print_note(f"Console:  {settings.public_url or url}/")
    if settings.has_open_profile:
        access = "with a key" if settings.needs_keys else "open: no keys, this machine only"
        print_note(f"GraphiQL: {url}/graphiql   ", (f"({access})", "dim"))
    query = shop.FIRST_QUERY if demo else FIRST_QUERY
    for line in ("", "Try this first:", "", f"  {query}", ""):
        print_line(line)
    print_note(("Stop with Ctrl-C.", "dim"))


def _has_browser() -> bool:
    if not is_terminal():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
