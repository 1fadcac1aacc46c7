"""Render a message as plain text, for mail programs and as the fallback of chats; and the parts that channels share."""

from collections.abc import Callable, Sequence

from tessera_gql.escaping import escape_terminal
from tessera_gql.policy.messages import Subject, TeamMessage

MAX_LINE = 400
MAX_COMMAND = 700
ELLIPSIS = "…"


def to_line(text: str, limit: int = MAX_LINE) -> str:
    """Make one line of a text, without characters that control or reorder it, of at most `limit` characters."""
    line = " ".join(escape_terminal(text.replace("\n", " ").replace("\r", " ").replace("\t", " ")).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + ELLIPSIS


def fit(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """Escape a text so that the result has at most `limit` characters; the text is cut, never what escaping adds."""
    line, length = to_line(text, max(limit, 1)), limit
    while len(escaped := escape(line)) > limit and length > 1:
        length = min(length - 1, length * limit // len(escaped))
        line = to_line(text, max(length, 1))
    return escaped


def describe_hidden(message: TeamMessage, listed: int) -> str | None:
    """Say how many subjects a message has beyond those that are listed; None if there are no others."""
    hidden = message.subject_count - listed
    if hidden <= 0:
        return None
    location = "the link" if message.link else f"`{message.command}`" if message.command else "the API"
    return f"and {hidden:,} more {message.noun}{'' if hidden == 1 else 's'}: {location} has all"


def list_lines(subject: Subject) -> list[str]:
    """List the lines of a subject, with the number of those left out."""
    hidden = [f"and {subject.hidden_details} more"] if subject.hidden_details else []
    return [*subject.details, *hidden]


def list_commands(message: TeamMessage) -> list[tuple[str, str]]:
    """List the commands of a message: those that answer, or else the one that opens its subject.

    A command is never cut: one that is too long for a message is left out.
    """
    answers = [(answer.label, answer.command) for answer in message.answers]
    commands = answers or ([("Show", message.command)] if message.command and not message.link else [])
    return [(label, command) for label, command in commands if len(command) <= MAX_COMMAND]


def join_fitting(lines: Sequence[str], limit: int) -> str:
    """Join the first lines that fit into a limit of characters."""
    text = ""
    for line in lines:
        if len(text) + 1 + len(line) > limit:
            break
        text = f"{text}\n{line}" if text else line
    return text


def render_text(message: TeamMessage, *, max_subjects: int = 100) -> str:
    """Render a message as text for people."""
    blocks: list[Sequence[str]] = [[to_line(message.summary, 1_000)]]
    if message.subject_count:
        lines: list[str] = []
        for subject in message.subjects[:max_subjects]:
            lines.append(f"* {to_line(subject.name)}")
            lines += [f"    - {to_line(line)}" for line in list_lines(subject)]
        hidden = describe_hidden(message, min(len(message.subjects), max_subjects))
        blocks.append([*lines, *([hidden] if hidden else [])])
    if message.reason:
        blocks.append([f"Reason: {to_line(message.reason, 1_000)}"])
    if message.deadline:
        blocks.append([to_line(message.deadline, 1_000)])
    if message.link:
        blocks.append([f"{to_line(message.link.label)}: {message.link.url}"])
    if message.source:
        blocks.append([f"{to_line(message.source.label)}: {message.source.url}"])
    if commands := list_commands(message):
        blocks.append(["Or by the command line:" if message.link else "By the command line:"])
        blocks[-1] = [*blocks[-1], *(f"    {to_line(label)}: {command}" for label, command in commands)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"
