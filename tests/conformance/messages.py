"""Write the messages of every kind of event for Slack and Teams as files, to be checked with the vendors' own types."""

from pathlib import Path

from tessera_gql.notifications.slack_message import render_slack
from tessera_gql.notifications.teams_message import render_teams
from tessera_gql.policy.message_builder import build_message, build_ping
from tessera_gql.policy.messages import Pages, TeamMessage
from tests.notifications.event_samples import ALL_KINDS, HOSTILE, PAGES, sample_facts
from tests.notifications.test_message_channels import LARGE


def list_messages() -> dict[str, TeamMessage]:
    """List messages by name: each kind of event with ordinary and hostile texts, and the extremes."""
    messages = {"ping": build_ping(PAGES, "finance"), "ping without pages": build_ping(Pages(), None), "large": LARGE}
    for kind in ALL_KINDS:
        messages[kind.kind] = build_message(sample_facts(kind, "analytics.marts.orders"))
        messages[f"{kind.kind} hostile"] = build_message(sample_facts(kind, HOSTILE, viewer=None))
    return messages


def write_messages(folder: Path) -> None:
    """Write a file for each message and channel."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, message in list_messages().items():
        (folder / f"slack {name}.json").write_bytes(render_slack(message))
        (folder / f"teams {name}.json").write_bytes(render_teams(message))
