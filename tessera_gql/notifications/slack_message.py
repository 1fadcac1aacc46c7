"""Render a message for Slack: Block Kit blocks with a text for notifications, escaped and within Slack's limits."""

from collections.abc import Iterator
from typing import Any

import orjson

from tessera_gql.escaping import escape_slack
from tessera_gql.notifications.message_text import (
    describe_hidden,
    fit,
    join_fitting,
    list_commands,
    list_lines,
    to_line,
)
from tessera_gql.policy.messages import MessageLink, Subject, TeamMessage, Tone

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_BUTTON = 75
MAX_URL = 3_000
MAX_TEXT = 1_000
MAX_SECTIONS = 10
"""Sections of subjects: a message of more is not read."""
MAX_NAME = 200
TONES = {Tone.ASK: "❓", Tone.GOOD: "✅", Tone.BAD: "⛔", Tone.NEUTRAL: ""}

Block = dict[str, Any]


def render_slack(message: TeamMessage) -> bytes:
    """Render the body of a post to an incoming webhook."""
    blocks: list[Block] = [_header(message), _section(fit(message.summary, MAX_SECTION, escape_slack))]
    sections, listed = _build_sections(message)
    blocks += sections
    if hidden := describe_hidden(message, listed):
        blocks.append(_context(fit(hidden, MAX_SECTION, escape_slack)))
    blocks += [_section(text) for text in _list_statements(message)]
    if buttons := [*_list_buttons(message)]:
        blocks.append({"type": "actions", "elements": buttons})
    # In a code span a backtick would be another sign, and the command another one.
    commands = [(label, command) for label, command in list_commands(message) if "`" not in command]
    lines = [f"{fit(label, 100, escape_slack)}: {_code(command)}" for label, command in commands]
    if text := join_fitting(lines, MAX_SECTION):
        blocks.append(_context(text))
    text = fit(f"{message.title}. {message.summary}", MAX_TEXT, escape_slack)
    return orjson.dumps({"text": text, "blocks": blocks[:MAX_BLOCKS]})


def _header(message: TeamMessage) -> Block:
    sign = TONES[message.tone]
    title = fit(f"{sign} {message.title}" if sign else message.title, MAX_HEADER, _escape_plain)
    return {"type": "header", "text": {"type": "plain_text", "text": title or "Tessera GQL", "emoji": False}}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text or " ", "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text or " ", "verbatim": True}]}


def _build_sections(message: TeamMessage) -> tuple[list[Block], int]:
    """Build the sections of the subjects; returns them with the number of subjects that they list."""
    sections: list[str] = []
    listed = 0
    for subject in message.subjects:
        text = _describe_subject(subject)
        if sections and len(sections[-1]) + 1 + len(text) <= MAX_SECTION:
            sections[-1] += f"\n{text}"
        elif len(sections) < MAX_SECTIONS:
            sections.append(text)
        else:
            break
        listed += 1
    return [_section(text) for text in sections], listed


def _describe_subject(subject: Subject) -> str:
    """Describe a subject in lines that fit into a section."""
    lines = [f"• {fit(subject.name, MAX_NAME, _code)}"]
    lines += [f"    {fit(line, 300, escape_slack)}" for line in list_lines(subject)]
    return "\n".join(lines)


def _list_statements(message: TeamMessage) -> Iterator[str]:
    if message.reason:
        yield f"*Reason:* {fit(message.reason, MAX_SECTION - 20, escape_slack)}"
    if message.deadline:
        yield f"*Until when:* {fit(message.deadline, MAX_SECTION - 20, escape_slack)}"


def _list_buttons(message: TeamMessage) -> Iterator[Block]:
    for link in (message.link, message.source):
        if link is not None and len(link.url) <= MAX_URL:
            yield _button(link, is_primary=link is message.link and message.tone is Tone.ASK)


def _button(link: MessageLink, *, is_primary: bool) -> Block:
    text = fit(link.label, MAX_BUTTON, _escape_plain)
    button: Block = {"type": "button", "text": {"type": "plain_text", "text": text, "emoji": False}, "url": link.url}
    return button | ({"style": "primary"} if is_primary else {})


def _escape_plain(text: str) -> str:
    """Escape the three characters that Slack reads as markup in every text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    return f"`{_escape_plain(to_line(text, 1_000).replace('`', chr(39)))}`"
