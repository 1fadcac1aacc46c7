"""Escape untrusted text for output to a terminal, a shell, Markdown, a CI runner's log or a chat.

Names, descriptions, reasons and error messages come from other teams and may contain characters with a special meaning.
Each function escapes text for one kind of output and returns a single line without control characters.
"""

import json
import re
import shlex
import unicodedata
from collections.abc import Callable

JOINERS = frozenset("\u200c\u200d")
"""Invisible characters that Persian, Hindi and joined emoji need."""
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control and format characters (such as bidi overrides), surrogates and line separators."""
RUNNER_COMMAND = re.compile(r"##(?=\[|vso\[)")
"""Prefixes of a CI runner's command within a line; at the beginning of a line `::` is one as well."""

WORD = re.compile(
    r"""(?!\d+[.)])["'(\u2018\u201c]*[^\W_]+(?:['\u2019-][^\W\d_]+)*["')\u2019\u201d]*[.,;:!?]?["')\u2019\u201d]*"""
)
"""An ordinary word, in which Markdown and chat renderers find no markup."""
TRAILING = ".,;:!?"


def escape_terminal(text: str) -> str:
    r"""Escape characters that control a terminal or CI runner, or hide or reorder text, as JSON does: `\u001b`, `\n`.

    A JSON document without line breaks keeps its value.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(json.dumps(char)[1:-1] if _is_invisible(char) else char for char in text)
    return RUNNER_COMMAND.sub(r"#\\u0023", text)


def _is_invisible(char: str) -> bool:
    if char in JOINERS:
        return False
    return unicodedata.category(char) in INVISIBLE or ord(char) & 0xFFFE == 0xFFFE


def escape_log_line(text: str) -> str:
    """Escape a whole line as `escape_terminal` does, and disarm a command of GitHub Actions at its beginning."""
    return disarm_log_line(escape_terminal(text))


def is_plain_text(text: str) -> bool:
    """Return whether `escape_log_line` would change none of the lines, in a fiftieth of its time."""
    return text.isascii() and text.replace("\n", "").isprintable() and "##" not in text and "::" not in text


def disarm_log_line(line: str) -> str:
    """Escape a command of GitHub Actions at the beginning of a line whose parts are escaped already."""
    start = line.lstrip()
    return f"{line[: len(line) - len(start)]}\\u003a{start[1:]}" if start.startswith("::") else line


def build_workflow_command(level: str, message: str, **properties: str) -> str:
    """Build a command of GitHub Actions, such as `::error title=…::…`, with escaped message and properties."""
    property_list = ",".join(f"{name}={_workflow_property(value)}" for name, value in properties.items())
    return f"::{level}{' ' if property_list else ''}{property_list}::{escape_workflow_command(message)}"


def escape_workflow_command(text: str) -> str:
    """Escape the message of a workflow command."""
    return escape_terminal(text).replace("%", "%25")


def _workflow_property(text: str) -> str:
    return escape_workflow_command(text).replace(":", "%3A").replace(",", "%2C")


def shell_quote(text: str) -> str:
    """Quote a word for a shell, exactly and printably.

    A shell without `$'…'` reads a different text, but never a command.
    """
    if escape_terminal(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_octal, text)) + "'"


def _octal(char: str) -> str:
    if char in "'\\#" or _is_invisible(char):
        return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogatepass"))
    return char


def build_tessera_command(*arguments: str, **options: str) -> str:
    """Build a `tessera` command to paste into a shell, from subcommands, arguments and options by name."""
    quoted = [shell_quote(argument) for argument in arguments]
    flags = [part for name, value in options.items() for part in (f"--{name}", shell_quote(value))]
    first = next((index for index, argument in enumerate(arguments) if argument.startswith("-")), None)
    if first is None:
        return " ".join(["tessera", *quoted, *flags])
    return " ".join(["tessera", *quoted[:first], *flags, "--", *quoted[first:]])


def escape_markdown(text: str) -> str:
    """Escape prose for a paragraph or table cell of Markdown: ordinary words stay, others become code spans.

    A code span holds no markup, no link, no mention and no reference to an issue.
    """
    return _escape_prose(text, to_markdown_code)


def escape_markdown_note(text: str) -> str:
    """Escape prose as `escape_markdown` does, with what the text has in backticks in code spans of its own."""
    first, *pieces = text.split("`")
    if len(pieces) % 2:
        return escape_markdown(text)
    parts = [escape_markdown(first)]
    for code, prose in zip(pieces[::2], pieces[1::2], strict=True):
        mark = prose[:1] if code.strip() and prose[:1] in TRAILING else ""
        parts += [to_markdown_code(code) + mark, escape_markdown(prose[len(mark) :])]
    return " ".join(filter(None, parts))


def to_markdown_code(text: str) -> str:
    """Format text as a Markdown code span that is also safe in a table cell."""
    line = escape_terminal(text)
    if "`" in line or "|" in line:
        return "<code>" + "".join(char if char.isalnum() else f"&#{ord(char)};" for char in line) + "</code>"
    return f"`{line}`" if line.strip() else ""


def escape_slack(text: str) -> str:
    """Escape prose for a message in Slack or a compatible chat, as `escape_markdown` does for Markdown."""
    return _escape_prose(text, _slack_code)


def _slack_code(text: str) -> str:
    line = text.replace("`", "'").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"`{line}`"


def _escape_prose(text: str, code: Callable[[str], str]) -> str:
    """Join the words of a text, with consecutive words that are not ordinary in one code span."""
    parts: list[str] = []
    unsafe_words: list[str] = []
    for token in map(escape_terminal, text.split()):
        if WORD.fullmatch(token):
            parts += [*_code_spans(unsafe_words, code), token]
            unsafe_words = []
        else:
            unsafe_words.append(token)
    return " ".join([*parts, *_code_spans(unsafe_words, code)])


def _code_spans(unsafe_words: list[str], code: Callable[[str], str]) -> list[str]:
    """Format the words as one code span, with trailing punctuation after it."""
    joined = " ".join(unsafe_words)
    bare = joined.rstrip(TRAILING)
    return [code(bare) + joined[len(bare) :]] if bare else [code(joined)] if joined else []
