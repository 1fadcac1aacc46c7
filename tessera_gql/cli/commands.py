"""The commands of the command line: where each of them is, and one line about it.

The module of a command is imported only when the command runs, because commands in CI and completions must start fast.
The help of all commands and the nearest name of a misspelt one take no more than this table.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.main import get_group

from tessera_gql.cli.exit_codes import EPILOG

CONTRACTS_PANEL = "Contracts: commands for people, scripts and CI"
SERVER_PANEL = "Server: commands for operators"


class CommandEntry(NamedTuple):
    """Section of the help, module, function or group in it, and the first sentence of the help of a command."""

    panel: str
    module: str
    attribute: str
    summary: str


COMMANDS: dict[str, CommandEntry] = {
    "login": CommandEntry(
        CONTRACTS_PANEL, "login", "login", "Store the URL and key of a server for the other commands."
    ),
    "logout": CommandEntry(CONTRACTS_PANEL, "login", "logout", "Delete the stored URL and key."),
    "whoami": CommandEntry(
        CONTRACTS_PANEL, "login", "whoami", "Show the server, team or project, and scopes of the current key."
    ),
    "publish": CommandEntry(CONTRACTS_PANEL, "publish", "publish", "Publish a schema."),
    "impact": CommandEntry(CONTRACTS_PANEL, "publish", "impact", "Preview a publish without writing anything."),
    "retire": CommandEntry(
        CONTRACTS_PANEL, "publish", "retire", "Retire an asset, after all teams that read it agree."
    ),
    "diff": CommandEntry(
        CONTRACTS_PANEL, "diff", "diff", "Compare two schemas: changes, breaking changes and counterexamples."
    ),
    "export": CommandEntry(
        CONTRACTS_PANEL,
        "export",
        "export",
        "Write a contract to stdout as ODCS v3, JSON Schema, or the document it was published from.",
    ),
    "dbt": CommandEntry(
        CONTRACTS_PANEL, "dbt", "app", "Sync a dbt project, and check in a pull request what it would break."
    ),
    "hook": CommandEntry(
        CONTRACTS_PANEL, "hooks", "app", "Check changed files before a commit, as hooks of pre-commit."
    ),
    "github": CommandEntry(CONTRACTS_PANEL, "github", "app", "Report the impact on a pull request of GitHub."),
    "register": CommandEntry(
        CONTRACTS_PANEL,
        "registrations",
        "register",
        "Register a team as a consumer of an asset, or of some of its fields with --field.",
    ),
    "deprecate": CommandEntry(
        CONTRACTS_PANEL, "deprecations", "deprecate", "Announce that an asset, or some fields of it, go away."
    ),
    "unregister": CommandEntry(
        CONTRACTS_PANEL, "registrations", "unregister", "End the registration of a team with an asset."
    ),
    "inbox": CommandEntry(
        CONTRACTS_PANEL,
        "inbox",
        "inbox",
        "List what waits for a team's answer, a row for each change set, earliest due date first; then its open debts.",
    ),
    "ack": CommandEntry(
        CONTRACTS_PANEL, "inbox", "ack", "Acknowledge a proposal, or a whole change set, for an asked team."
    ),
    "debts": CommandEntry(
        CONTRACTS_PANEL,
        "debts",
        "debts",
        "List the open debts of a team: forced changes that it was not asked about, and fields that an asset lacks.",
    ),
    "acknowledge-debt": CommandEntry(
        CONTRACTS_PANEL, "debts", "acknowledge_debt", "Acknowledge a change that was published by force."
    ),
    "proposals": CommandEntry(CONTRACTS_PANEL, "proposals", "proposals", "List open proposals, latest first."),
    "proposal": CommandEntry(
        CONTRACTS_PANEL,
        "proposals",
        "proposal",
        "Show a proposal: its breaking changes, acknowledgments and comments, who is not asked, and what comes next.",
    ),
    "comment": CommandEntry(
        CONTRACTS_PANEL,
        "proposals",
        "comment",
        "Comment on a proposal, for any team; `tessera proposal` shows the comments.",
    ),
    "publish-proposal": CommandEntry(
        CONTRACTS_PANEL,
        "proposals",
        "publish_proposal",
        "Publish an approved proposal unchanged, or carry out an approved retirement.",
    ),
    "extend-proposal": CommandEntry(
        CONTRACTS_PANEL, "proposals", "extend_proposal", "Keep an open proposal open for longer."
    ),
    "withdraw": CommandEntry(
        CONTRACTS_PANEL, "proposals", "withdraw", "Withdraw an open proposal without publishing it."
    ),
    "change-set": CommandEntry(
        CONTRACTS_PANEL, "change_set", "app", "List, withdraw and publish the proposals of a pull request together."
    ),
    "watch": CommandEntry(
        CONTRACTS_PANEL, "watch", "watch", "Print the events of a team as they happen; without a team, all events."
    ),
    "team": CommandEntry(CONTRACTS_PANEL, "catalog", "team_app", "Create, list, show and archive teams."),
    "policy": CommandEntry(
        CONTRACTS_PANEL, "ask_policy", "app", "List and set the policies of asks, one for each tier of assets."
    ),
    "project": CommandEntry(CONTRACTS_PANEL, "project", "app", "Create, change, list and show projects."),
    "asset": CommandEntry(
        CONTRACTS_PANEL, "catalog", "asset_app", "Create, list, show, label, rename and archive assets."
    ),
    "lineage": CommandEntry(
        CONTRACTS_PANEL,
        "lineage",
        "lineage",
        "Show what an asset is made from and what is made from it: a tree, or in a pipe lines with tabs.",
    ),
    "contract": CommandEntry(CONTRACTS_PANEL, "contract", "app", "Compare the published versions of an asset."),
    "search": CommandEntry(
        CONTRACTS_PANEL, "search", "search", "Search teams, assets with their columns and descriptions, and proposals."
    ),
    "usage": CommandEntry(CONTRACTS_PANEL, "usage", "app", "Import observed reads, and map who read to teams."),
    "mcp": CommandEntry(
        CONTRACTS_PANEL,
        "agents",
        "mcp",
        "Serve tools for an agent (MCP) over standard input and output, with the key of the environment or login.",
    ),
    "webhook": CommandEntry(
        CONTRACTS_PANEL, "webhook", "app", "Send messages to Slack, Teams, e-mail, GitHub and HTTP receivers."
    ),
    "serve": CommandEntry(SERVER_PANEL, "serve", "serve", "Run the server."),
    "worker": CommandEntry(
        SERVER_PANEL, "worker", "worker", "Process deadlines and webhooks without serving requests."
    ),
    "config": CommandEntry(SERVER_PANEL, "config", "config", "Print the settings in effect and the source of each."),
    "db": CommandEntry(SERVER_PANEL, "database", "app", "Migrate, back up and restore the database."),
    "keys": CommandEntry(SERVER_PANEL, "keys", "app", "Create, list and revoke API keys, directly in the database."),
    "git": CommandEntry(SERVER_PANEL, "git", "app", "Sync contracts with files in a git repository."),
    "audit": CommandEntry(SERVER_PANEL, "audit", "app", "Verify, export and archive the event log."),
    "schema": CommandEntry(SERVER_PANEL, "serve", "schema", "Print the GraphQL schema as SDL."),
}


def describe_command(name: str) -> TyperCommand:
    """Return a command that has the name and the summary only, for lists of commands."""
    entry = COMMANDS[name]
    return TyperCommand(name, help=entry.summary, rich_help_panel=entry.panel)


def load_command(name: str) -> Any:
    """Import the module of a command, and return the command or group as a command of typer's core."""
    entry = COMMANDS[name]
    member = getattr(import_module(f"tessera_gql.cli.{entry.module}"), entry.attribute)
    if isinstance(member, typer.Typer):
        for registered in member.registered_commands:
            registered.epilog = EPILOG
        command: Any = get_group(member)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name, epilog=EPILOG)(member)
        command = typer.main.get_command(app)
    command.name, command.rich_help_panel = name, entry.panel
    return command
