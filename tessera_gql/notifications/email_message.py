"""Render a message as an e-mail: text and HTML, with headers in which no text of a user can begin another header."""

import hashlib
import html
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tessera_gql.notifications.message_text import describe_hidden, list_commands, list_lines, render_text, to_line
from tessera_gql.policy.messages import MessageLink, TeamMessage, Tone

MAX_SUBJECT = 150
MAX_SUBJECTS = 50
MAX_PAGE = 95_000
"""Characters of the HTML: Gmail cuts what is longer."""
COLORS = {Tone.ASK: "#8a5a00", Tone.GOOD: "#1b6e3c", Tone.BAD: "#a3261d", Tone.NEUTRAL: "#3b4252"}
FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
FOOTER = "You get this because your team has this address in Tessera GQL."
MONOSPACE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def render_email(message: TeamMessage, *, sender: str, recipient: str, message_id: str, now: datetime) -> EmailMessage:
    """Render an e-mail from a sender to a recipient, both of which are checked addresses.

    Messages about one change set or proposal refer to one id, so that mail programs show them as a thread.
    """
    mail = EmailMessage(policy=SMTP)
    domain = sender.rpartition("@")[2]
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = to_line(message.title, MAX_SUBJECT)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_hash(message_id)}@{domain}>"
    if message.thread is not None:
        thread = f"<thread-{_hash(f'{message.thread} {recipient}')}@{domain}>"
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    if message.team_link is not None:
        mail["List-Unsubscribe"] = f"<{message.team_link}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    page, subjects = _render_page(message)
    mail.set_content(f"{render_text(message, max_subjects=subjects)}{_footer_text(message)}")
    mail.add_alternative(page, subtype="html")
    return mail


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _footer_text(message: TeamMessage) -> str:
    if message.team_link is None:
        return ""
    return (
        f"\n-- \nYou get this because your team has this address in Tessera GQL. To change that: {message.team_link}\n"
    )


def render_html(message: TeamMessage) -> str:
    """Render a message as an HTML page without scripts, images or addresses of others."""
    return _render_page(message)[0]


def _render_page(message: TeamMessage) -> tuple[str, int]:
    """Render the page with as many subjects as fit, and return their number."""
    subjects = min(len(message.subjects), MAX_SUBJECTS)
    while len(page := _build_page(message, subjects)) > MAX_PAGE and subjects:
        subjects //= 2
    return page, subjects


def _build_page(message: TeamMessage, subjects: int) -> str:
    title = html.escape(to_line(message.title, 300))
    color = COLORS[message.tone]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head>'
        f'<body style="margin:0;background:#f3f4f6;{FONT};color:#1f2430;font-size:15px;line-height:1.5">'
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" '
        'style="padding:24px 12px"><table role="presentation" width="100%" cellpadding="0" cellspacing="0" '
        'style="max-width:640px;background:#ffffff;border:1px solid #dde1e7;border-radius:8px;text-align:left">'
        f'<tr><td style="padding:20px 28px;border-bottom:3px solid {color}">'
        f'<h1 style="margin:0;font-size:20px;line-height:1.3;color:{color}">{title}</h1></td></tr>'
        f'<tr><td style="padding:20px 28px">{"".join(_list_parts(message, subjects))}</td></tr>'
        f"</table>{_footer_html(message)}</td></tr></table></body></html>"
    )


def _list_parts(message: TeamMessage, subjects: int) -> Iterator[str]:
    yield _paragraph(message.summary)
    yield from _list_subjects(message, subjects)
    if message.reason:
        yield _paragraph(message.reason, "Reason")
    if message.deadline:
        yield _paragraph(message.deadline, "Until when")
    yield from _list_links(message)
    if commands := list_commands(message):
        rows = "".join(
            f'<p style="margin:4px 0 0">{html.escape(label)}</p>'
            '<p style="margin:0;padding:6px 10px;background:#f3f4f6;border-radius:4px;overflow-wrap:anywhere;'
            f'{MONOSPACE};font-size:13px">{html.escape(to_line(command, 1_000))}</p>'
            for label, command in commands
        )
        introduction = "Or by the command line:" if message.link else "By the command line:"
        yield f'<div style="margin:20px 0 0;font-size:13px;color:#4b5262">{introduction}{rows}</div>'


def _paragraph(text: str, label: str | None = None) -> str:
    head = f"<strong>{label}:</strong> " if label else ""
    return f'<p style="margin:0 0 14px">{head}{html.escape(to_line(text, 1_000))}</p>'


def _list_subjects(message: TeamMessage, subjects: int) -> Iterator[str]:
    listed = message.subjects[:subjects]
    for subject in listed:
        items = "".join(
            f'<li style="margin:2px 0;overflow-wrap:anywhere">{html.escape(to_line(line))}</li>'
            for line in list_lines(subject)
        )
        lines = f'<ul style="margin:2px 0 0;padding-left:20px">{items}</ul>' if items else ""
        name = html.escape(to_line(subject.name))
        yield (
            '<div style="margin:0 0 10px;padding:8px 12px;border-left:3px solid #dde1e7">'
            f'<strong style="{MONOSPACE};font-size:14px;overflow-wrap:anywhere">{name}</strong>{lines}</div>'
        )
    if hidden := describe_hidden(message, len(listed)):
        yield _paragraph(hidden)


def _list_links(message: TeamMessage) -> Iterator[str]:
    links = [link for link in (message.link, message.source) if link is not None]
    if links:
        yield f'<p style="margin:20px 0 0">{"".join(_button(link, link is message.link) for link in links)}</p>'


def _button(link: MessageLink, is_main: bool) -> str:  # noqa: FBT001 - the second of two arguments
    colors = "background:#2456a6;color:#ffffff" if is_main else "background:#ffffff;color:#2456a6"
    return (
        f'<a href="{html.escape(link.url)}" style="display:inline-block;margin:0 8px 8px 0;padding:9px 16px;{colors};'
        f'border:1px solid #2456a6;border-radius:6px;text-decoration:none;font-weight:600">'
        f"{html.escape(to_line(link.label, 100))}</a>"
    )


def _footer_html(message: TeamMessage) -> str:
    if message.team_link is None:
        return ""
    link = f'<a href="{html.escape(message.team_link)}" style="color:#4b5262">Change that on the page of the team</a>'
    return (
        '<p style="max-width:640px;margin:12px 0 0;font-size:12px;color:#4b5262;text-align:center">'
        f"{FOOTER} {link}.</p>"
    )
