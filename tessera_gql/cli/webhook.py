"""`tessera webhook`: channels of a team: chats, e-mail, commit statuses and HTTP receivers of its events."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect
from tessera_gql.cli.api_terms import to_command_terms
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note, print_table
from tessera_gql.client.enums import WebhookFormat

if TYPE_CHECKING:
    from tessera_gql.client import Webhook
    from tessera_gql.client.operations.webhooks import WebhookChanges
    from tessera_gql.client.webhook_models import WebhookDelivery, WebhookResult

TOKEN_VARIABLE = "TESSERA_CHANNEL_TOKEN"  # noqa: S105 - the name of a variable
HEADINGS = ("format", "to", "team", "kinds", "state", "last delivery", "id")

CHANGE_OPTIONS = ("--url", "--format", "--kind", "--all-kinds", "--pause", "--resume", "--rotate")

app = typer.Typer(help="Send messages to Slack, Teams, e-mail, GitHub and HTTP receivers.", no_args_is_help=True)

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook, as `list` prints it.")]
KindOption = Annotated[
    list[str] | None, typer.Option("--kind", help="Kind of events, such as PROPOSAL_OPENED; repeatable, default all.")
]
FormatOption = Annotated[WebhookFormat | None, typer.Option("--format", case_sensitive=False, help="What is sent.")]
TokenFlag = Annotated[
    bool, typer.Option("--token", help=f"Read the token of GitHub from {TOKEN_VARIABLE}, or ask for it.")
]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Address of the receiver, mailto:ADDRESS, or URL of a repository.")],
    format_: FormatOption = None,
    kind: KindOption = None,
    document: Annotated[str | None, typer.Option(help="GraphQL query of the payload of a STANDARD webhook.")] = None,
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a webhook; a mailto: address is EMAIL, other formats are named.

    Example: tessera webhook create https://hooks.slack.com/services/… --format slack --team finance

    Example: tessera webhook create mailto:data@example.com --team finance

    Example: tessera webhook create https://github.com/acme/shop --format github_status
    """
    chosen = format_ or (WebhookFormat.EMAIL if url.lower().startswith("mailto:") else WebhookFormat.STANDARD)
    token = _read_token() if chosen is WebhookFormat.GITHUB_STATUS else None
    kinds = _to_kinds(kind)
    with connect() as client:
        result = client.create_webhook(url, format=chosen, team=team, kinds=kinds, document=document, token=token)
    _print_result(result, as_json=as_json)


@app.command()
def update(  # noqa: PLR0913, PLR0917 - the options of a command
    webhook: WebhookArgument,
    url: Annotated[str | None, typer.Option(help="New address.")] = None,
    format_: FormatOption = None,
    kind: KindOption = None,
    all_kinds: Annotated[bool, typer.Option("--all-kinds", help="Receive all kinds of events.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Send nothing; events are kept.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Send again, first what was kept.")] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new secret; the old one signs for one more day.")] = (
        False
    ),
    token: TokenFlag = False,
    as_json: JsonOption = False,
) -> None:
    """Change, pause or resume a webhook, or replace its secret or token.

    Example: tessera webhook update V2ViaG9vazox… --token
    """
    _require_single("--kind", "--all-kinds", is_both=bool(kind) and all_kinds)
    _require_single("--pause", "--resume", is_both=pause and resume)
    changes: WebhookChanges = {}
    if url is not None:
        changes["url"] = url
    if format_ is not None:
        changes["format"] = format_
    if kind or all_kinds:
        changes["kinds"] = _to_kinds(kind)
    if pause or resume:
        changes["is_active"] = resume
    if rotate:
        changes["rotate_secret"] = True
    if token or format_ is WebhookFormat.GITHUB_STATUS:
        changes["token"] = _read_token()
    if not changes:
        raise fail(
            "Nothing to change. Give --url, --format, --kind, --all-kinds, --pause, --resume, --rotate or --token."
        )
    with connect() as client:
        result = client.update_webhook(webhook, **changes)
    _print_result(result, as_json=as_json)


def _require_single(first: str, second: str, *, is_both: bool) -> None:
    if is_both:
        raise fail(f"{first} and {second} exclude each other. Give one of them.")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the webhooks that the key may see, with what became of the last delivery."""
    with connect() as client:
        webhooks = list(client.webhooks())
    if as_json:
        print_json(webhooks)
        return
    rows = (
        (
            item.format,
            item.host,
            item.team,
            ", ".join(item.kinds) if item.kinds else "all",
            "active" if item.is_active else "paused",
            _describe_delivery(item.deliveries[0]) if item.deliveries else None,
            item.id,
        )
        for item in webhooks
    )
    print_table(HEADINGS, rows, none="No webhooks.")


@app.command("test")
def ping(webhook: WebhookArgument, as_json: JsonOption = False) -> None:
    """Send a test message; `tessera webhook deliveries` says whether it arrived."""
    with connect() as client:
        delivery = client.test_webhook(webhook)
    if as_json:
        print_json(delivery)
        return
    print_line(f"The test {delivery.id} is on its way. See `tessera webhook deliveries`.")


@app.command()
def deliveries(webhook: WebhookArgument, as_json: JsonOption = False) -> None:
    """List the latest ten deliveries of a webhook, with the reason of a failure and what to do."""
    with connect() as client:
        selected = _find(list(client.webhooks()), webhook)
    if as_json:
        print_json(selected.deliveries)
        return
    rows = (
        (item.created_at, item.status, str(item.event_count), str(len(item.attempts)), _last_error(item), item.id)
        for item in selected.deliveries
    )
    print_table(("created", "status", "events", "attempts", "last error", "id"), rows, none="No deliveries.")


@app.command()
def redeliver(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery.")],
    as_json: JsonOption = False,
) -> None:
    """Send a delivery once more, such as after its address was corrected."""
    with connect() as client:
        result = client.redeliver_webhook(delivery)
    print_json(result) if as_json else print_line(f"The delivery {result.id} is sent once more.")


@app.command()
def delete(webhook: WebhookArgument) -> None:
    """Delete a webhook with its pending deliveries."""
    with connect() as client:
        client.delete_webhook(webhook)
    print_line(f"The webhook {webhook} is deleted.")


def _to_kinds(kinds: list[str] | None) -> list[str] | None:
    return [kind.upper().replace("-", "_") for kind in kinds] if kinds else None


def _read_token() -> str:
    """Read the token of GitHub, which is no option, since other users of a machine see the options of a command."""
    if token := os.environ.get(TOKEN_VARIABLE):
        return token
    try:
        return str(typer.prompt("Token of GitHub (Commit statuses: write)", hide_input=True, err=True))
    except typer.Abort:
        raise fail(f"GITHUB_STATUS needs a token of GitHub. Set {TOKEN_VARIABLE}, or type it when asked.") from None


def _find(webhooks: list[Webhook], identity: str) -> Webhook:
    for item in webhooks:
        if item.id == identity:
            return item
    raise fail(f"There is no webhook {identity}. `tessera webhook list` prints the ids.")


def _describe_delivery(delivery: WebhookDelivery) -> str:
    error = _last_error(delivery)
    return f"{delivery.status}: {error}" if error else str(delivery.status)


def _last_error(delivery: WebhookDelivery) -> str | None:
    error = delivery.attempts[-1].error if delivery.attempts else None
    return None if error is None else to_command_terms(error)


def _print_result(result: WebhookResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    webhook = result.webhook
    state = "" if webhook.is_active else " It is paused."
    print_line(f"{webhook.format} to {webhook.host} is webhook {webhook.id}.{state}")
    if result.secret and webhook.format is WebhookFormat.STANDARD:
        print_line(result.secret)
        print_note(("Copy the secret now: it is printed this once. It signs the posts.", "dim"))
