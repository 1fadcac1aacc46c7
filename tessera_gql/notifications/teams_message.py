"""Render a message for Microsoft Teams: an Adaptive Card 1.5 in the envelope of a Teams webhook.

Untrusted text stands in text runs only, in which Teams reads no Markdown, and no mention.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from tessera_gql.notifications.message_text import describe_hidden, list_commands, list_lines, to_line
from tessera_gql.policy.messages import TeamMessage, Tone

MAX_BYTES = 28_000
MAX_TEXT = 1_000
MAX_SUBJECTS = 40
CARD_TYPE = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
STYLES = {Tone.ASK: "warning", Tone.GOOD: "good", Tone.BAD: "attention", Tone.NEUTRAL: "default"}

Element = dict[str, Any]


def render_teams(message: TeamMessage) -> bytes:
    """Render the body of a post, with as many subjects and as much text as fit into Teams' limit."""
    subjects, limit = min(len(message.subjects), MAX_SUBJECTS), MAX_TEXT
    while len(body := orjson.dumps(_build_envelope(message, subjects, limit))) > MAX_BYTES:
        subjects, limit = (subjects // 2, limit) if subjects > 1 else (0, max(limit // 2, 40))
    return body


def _build_envelope(message: TeamMessage, subjects: int, limit: int) -> Element:
    card = _build_card(message, subjects, limit)
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "contentUrl": None, "content": card}]}


def _build_card(message: TeamMessage, subjects: int, limit: int) -> Element:
    actions = [
        {"type": "Action.OpenUrl", "title": to_line(link.label, 100), "url": link.url}
        for link in (message.link, message.source)
        if link is not None
    ]
    return {
        "type": "AdaptiveCard",
        "$schema": SCHEMA,
        "version": "1.5",
        "fallbackText": to_line(f"{message.title}. {message.summary}", limit),
        "msteams": {"width": "full"},
        "body": [*_build_body(message, subjects, limit)],
        **({"actions": actions} if actions else {}),
    }


def _build_body(message: TeamMessage, subjects: int, limit: int) -> Iterator[Element]:
    title = _text(to_line(message.title, min(limit, 300)), size="Large", weight="Bolder")
    yield {"type": "Container", "style": STYLES[message.tone], "bleed": True, "items": [title]}
    yield _text(to_line(message.summary, limit))
    listed = message.subjects[:subjects]
    if items := [item for subject in listed for item in _build_subject(subject.name, list_lines(subject), limit)]:
        yield {"type": "Container", "items": items}
    if hidden := describe_hidden(message, len(listed)):
        yield _text(hidden, is_subtle=True)
    if message.reason:
        yield _labelled("Reason", to_line(message.reason, limit))
    if message.deadline:
        yield _labelled("Until when", to_line(message.deadline, limit))
    for label, command in list_commands(message):
        yield _text(to_line(command, limit), label=to_line(label, 100), font="Monospace", is_subtle=True)


def _build_subject(name: str, lines: list[str], limit: int) -> Iterator[Element]:
    yield _text(to_line(name, min(limit, 300)), font="Monospace", weight="Bolder")
    for line in lines:
        yield _text(to_line(line, min(limit, 300)), spacing="None")


def _labelled(label: str, text: str) -> Element:
    runs = [_run(f"{label}: ", weight="Bolder"), _run(text)]
    return {"type": "RichTextBlock", "inlines": runs}


def _text(  # noqa: PLR0913 - the attributes of a text run
    text: str,
    *,
    label: str | None = None,
    size: str | None = None,
    weight: str | None = None,
    font: str | None = None,
    spacing: str | None = None,
    is_subtle: bool = False,
) -> Element:
    style: dict[str, Any] = {"size": size, "weight": weight, "fontType": font, "isSubtle": is_subtle or None}
    runs = [_run(f"{label}: ", isSubtle=is_subtle or None)] if label else []
    block: Element = {"type": "RichTextBlock", "inlines": [*runs, _run(text, **style)]}
    return block | ({"spacing": spacing} if spacing else {})


def _run(text: str, **style: Any) -> Element:
    return {"type": "TextRun", "text": text or " ", **{name: value for name, value in style.items() if value}}
