"""Every kind of event is a message, and each channel renders it within its limits, whatever names and notes hold."""

import html
import json
import re
from dataclasses import replace
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.notifications import slack_message, teams_message
from tessera_gql.notifications.email_message import render_email, render_html
from tessera_gql.notifications.message_text import render_text
from tessera_gql.notifications.slack_message import render_slack
from tessera_gql.notifications.teams_message import render_teams
from tessera_gql.policy.events import Event
from tessera_gql.policy.message_builder import build_message, build_ping
from tessera_gql.policy.message_groups import FAMILY_OF_KIND, IN_CHANGE_SET
from tessera_gql.policy.messages import MessageLink, Pages, Subject, TeamMessage, Tone
from tests.notifications.event_samples import ALL_KINDS, HOSTILE, MOMENT, TEAM, sample_facts

SENDER, RECIPIENT = "tessera@example.com", "data@example.org"
kinds = pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.kind)
LARGE = TeamMessage(
    Tone.ASK,
    "& " * 400,
    "<" * 5_000,
    tuple(Subject(f"wh.{'x' * 300}.t{number}", tuple(["& < >" * 100] * 8), 50) for number in range(100)),
    500,
    reason="&" * 10_000,
    deadline=">" * 10_000,
    link=MessageLink("Open " * 50, "https://data.example.com/change-sets/1"),
    source=MessageLink("&" * 500, "https://github.com/acme/shop/pull/1"),
)


def build(kind: type[Event], text: str = HOSTILE, *, viewer: UUID | None = TEAM) -> TeamMessage:
    return build_message(sample_facts(kind, text, viewer=viewer))


@kinds
@pytest.mark.parametrize("viewer", [TEAM, None], ids=["team", "all"])
def test_every_kind_of_event_is_a_message_in_plain_sentences(kind: type[Event], viewer: UUID | None) -> None:
    message = build(kind, "orders", viewer=viewer)
    assert message.title
    assert message.title[0].isalnum()
    assert message.summary.endswith(".")
    assert ".." not in message.summary
    assert not re.search("None(?! of)", render_text(message))
    assert message.link is not None
    assert message.command


@kinds
def test_slack_gets_no_mention_link_or_markup_of_a_name(kind: type[Event]) -> None:
    body = json.loads(render_slack(build(kind)))
    for is_markup, text in [(True, body["text"]), *_list_texts(body["blocks"])]:
        assert not set("<>") & set(text)
        assert "&" not in re.sub(r"&(amp|lt|gt);", "", text)
        assert not {char for char in text if ord(char) < 32} - {"\n"}
        assert "\u202e" not in text
        bare = re.sub(r"`[^`]*`", "", text)
        assert not is_markup or not re.search("http|@", bare)
    check_slack_limits(body)


def _list_texts(value: Any) -> list[tuple[bool, str]]:
    """List the texts of blocks, and whether Slack reads markup in them."""
    if isinstance(value, dict):
        own = [(value["type"] == "mrkdwn", value["text"])] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in _list_texts(item)]
    return [text for item in value for text in _list_texts(item)] if isinstance(value, list) else []


def check_slack_limits(body: dict[str, Any]) -> None:
    """Check the limits of Slack's reference: docs.slack.dev/reference/block-kit/blocks."""
    assert len(body["blocks"]) <= 50
    assert len(body["text"]) <= 4_000
    for block in body["blocks"]:
        match block["type"]:
            case "header":
                assert 1 <= len(block["text"]["text"]) <= 150
            case "section":
                assert 1 <= len(block["text"]["text"]) <= 3_000
            case "context":
                assert 1 <= len(block["elements"]) <= 10
                assert all(1 <= len(element["text"]) <= 3_000 for element in block["elements"])
            case "actions":
                assert 1 <= len(block["elements"]) <= 25
                assert all(len(button["text"]["text"]) <= 75 for button in block["elements"])
                assert all(len(button["url"]) <= 3_000 for button in block["elements"])
            case other:
                raise AssertionError(other)


@kinds
def test_teams_gets_names_as_text_runs_only(kind: type[Event]) -> None:
    body = json.loads(render_teams(build(kind)))
    (attachment,) = body["attachments"]
    elements = [*_list_elements(attachment["content"]["body"])]
    assert {element["type"] for element in elements} <= {"Container", "RichTextBlock", "TextRun"}
    assert attachment["content"]["version"] == "1.5"
    assert "entities" not in attachment["content"]["msteams"]


def _list_elements(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [element for item in value for element in _list_elements(item)]
    return [value, *_list_elements(value.get("items", [])), *_list_elements(value.get("inlines", []))]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses |= {value or "" for name, value in attrs if name in {"href", "src"}}

    def handle_data(self, data: str) -> None:
        self.text += data


@kinds
def test_an_email_has_only_our_headers_and_no_markup_of_a_name(kind: type[Event]) -> None:
    mail = render_email(build(kind), sender=SENDER, recipient=RECIPIENT, message_id="one", now=MOMENT)
    parsed = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert parsed["To"] == RECIPIENT
    assert parsed["Bcc"] is None
    assert set(parsed.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Unsubscribe"),
        *("Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"),
    }
    assert not parsed.defects
    plain, rich = (part.get_content() for part in parsed.iter_parts())  # type: ignore[attr-defined]
    assert "\nBcc:" not in plain
    page = _Page()
    page.feed(rich)
    assert page.tags <= {
        *("html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "p", "div", "strong", "ul", "li", "a")
    }
    assert all(address.startswith(("https://data.example.com/", "https://github.com/")) for address in page.addresses)


def test_a_large_message_is_cut_to_what_each_channel_takes_and_says_how_much_is_left_out() -> None:
    slack = json.loads(render_slack(LARGE))
    check_slack_limits(slack)
    assert re.search(r"and `?\d+`? more tables", json.dumps(slack))
    teams = render_teams(LARGE)
    assert len(teams) <= 28_000
    assert re.search(rb"and \d+ more tables: the link has all", teams)
    mail = render_email(LARGE, sender=SENDER, recipient=RECIPIENT, message_id="one", now=MOMENT)
    assert len(mail.as_bytes()) <= 300_000
    page = render_html(LARGE)
    assert len(page) <= 100_000
    assert re.search(r"and \d+ more tables: the link has all", html.unescape(page))


@pytest.mark.parametrize("text", ["x" * 100_000, "漢" * 60_000, "\U0001f600" * 30_000, '"\\' * 50_000, "&" * 50_000])
def test_one_huge_text_fits_into_every_channel(text: str) -> None:
    message = replace(LARGE, title=text, summary=text, reason=text, subjects=(Subject(text, (text,), 1),))
    check_slack_limits(json.loads(render_slack(message)))
    assert len(render_teams(message)) <= 28_000
    assert len(render_text(message)) < 10_000


def test_a_message_without_a_link_has_a_command_in_every_channel() -> None:
    message = build_ping(Pages(), "finance")
    for text in (render_slack(message).decode(), render_teams(message).decode(), render_html(message)):
        assert "tessera inbox" in text
        assert "finance" in text


def test_messages_of_one_change_set_are_a_thread_of_an_email_program() -> None:
    first, second = (
        render_email(replace(LARGE, thread="change set 1"), sender=SENDER, recipient=to, message_id=name, now=MOMENT)
        for to, name in ((RECIPIENT, "one"), (RECIPIENT, "two"))
    )
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    again = render_email(LARGE, sender=SENDER, recipient=RECIPIENT, message_id="one", now=MOMENT)
    assert again["Message-ID"] == first["Message-ID"], "a message that is sent twice has one id"
    assert again["References"] is None


def test_the_page_of_the_team_is_named_for_who_wants_no_more_mail() -> None:
    link = "https://data.example.com/teams/1"
    mail = render_email(
        replace(LARGE, team_link=link), sender=SENDER, recipient=RECIPIENT, message_id="one", now=MOMENT
    )
    assert mail["List-Unsubscribe"] == f"<{link}>"
    assert link in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_the_limits_are_those_that_the_vendors_document() -> None:
    assert (slack_message.MAX_BLOCKS, slack_message.MAX_SECTION, teams_message.MAX_BYTES) == (50, 3_000, 28_000)


def test_every_event_that_a_change_set_sums_up_is_of_the_family_of_its_sum() -> None:
    assert all(FAMILY_OF_KIND[single] == FAMILY_OF_KIND[total] for single, total in IN_CHANGE_SET.items())
