"""Escape foreign text for the place where it is written: a terminal, a shell, Markdown, a CI runner's log, a chat.

Names, descriptions, reasons and error messages come from other teams. Wherever they are written, some characters mean
something. Each function here takes text from anywhere and returns text that means only itself in one place. All of them
return a single line without control characters.
"""

import json
import re
import shlex
import unicodedata
from collections.abc import Callable

JOINERS = frozenset("\u200c\u200d")
"""Invisible, but needed to write Persian, Hindi and joined emoji."""
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of controls, invisible formats such as bidi overrides, half surrogate pairs and line separators."""
RUNNER_COMMAND = re.compile(r"##(?=\[|vso\[)")
"""Where CI runners see a command in the middle of a line; at its beginning `::` is one as well."""

WORD = re.compile(
    r"""(?!\d+[.)])["'(\u2018\u201c]*[^\W_]+(?:['\u2019-][^\W\d_]+)*["')\u2019\u201d]*[.,;:!?]?["')\u2019\u201d]*"""
)
"""A word of ordinary prose: no renderer of Markdown or chat sees anything else in it."""
TRAILING = ".,;:!?"


def escape_terminal(text: str) -> str:
    r"""Write what could steer a terminal or a CI runner, hide or reorder text as JSON does: `\u001b`, `\n`.

    The text of a JSON document without line breaks keeps its value.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(json.dumps(char)[1:-1] if _is_invisible(char) else char for char in text)
    return RUNNER_COMMAND.sub(r"#\\u0023", text)


def _is_invisible(char: str) -> bool:
    if char in JOINERS:
        return False
    return unicodedata.category(char) in INVISIBLE or ord(char) & 0xFFFE == 0xFFFE


def escape_log_line(text: str) -> str:
    """A whole line: as `escape_terminal`, and it does not begin as a command of GitHub Actions does."""
    return disarm_log_line(escape_terminal(text))


def disarm_log_line(line: str) -> str:
    """The second half of `escape_log_line`, for a line whose parts are escaped already."""
    start = line.lstrip()
    return f"{line[: len(line) - len(start)]}\\u003a{start[1:]}" if start.startswith("::") else line


def workflow_command(level: str, message: str, **properties: str) -> str:
    """A command of GitHub Actions such as `::error title=…::…`; neither its message nor a property can end it."""
    property_list = ",".join(f"{name}={_workflow_property(value)}" for name, value in properties.items())
    return f"::{level}{' ' if property_list else ''}{property_list}::{escape_workflow_command(message)}"


def escape_workflow_command(text: str) -> str:
    """The message of a workflow command."""
    return escape_terminal(text).replace("%", "%25")


def _workflow_property(text: str) -> str:
    return escape_workflow_command(text).replace(":", "%3A").replace(",", "%2C")


def shell_quote(text: str) -> str:
    """One word for a shell, exact and printable. A shell without `$'…'` reads another text, never a command."""
    if escape_terminal(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_octal, text)) + "'"


def _octal(char: str) -> str:
    if char in "'\\#" or _is_invisible(char):
        return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogatepass"))
    return char


def tessera_command(*arguments: str, **options: str) -> str:
    """A command of ours to be pasted into a shell: subcommands and arguments, then options by their names."""
    quoted = [shell_quote(word) for word in arguments]
    flags = [part for name, value in options.items() for part in (f"--{name}", shell_quote(value))]
    if not any(word.startswith("-") for word in arguments):
        return " ".join(["tessera", *quoted, *flags])
    first = next(number for number, word in enumerate(arguments) if word.startswith("-"))
    return " ".join(["tessera", *quoted[:first], *flags, "--", *quoted[first:]])


def escape_markdown(text: str) -> str:
    """Prose for a paragraph or a table cell of Markdown: ordinary words stay, all else becomes code spans.

    A code span holds no markup, no link, no mention and no reference to an issue.
    """
    return _escape_prose(text, markdown_code)


def markdown_code(text: str) -> str:
    """A code span, also where a vertical bar would end a table cell."""
    line = escape_terminal(text)
    if "`" in line or "|" in line:
        return "<code>" + "".join(char if char.isalnum() else f"&#{ord(char)};" for char in line) + "</code>"
    return f"`{line}`" if line.strip() else ""


def escape_slack(text: str) -> str:
    """Prose for a message in Slack, or a chat that takes its messages: as `escape_markdown`, with Slack's entities."""
    return _escape_prose(text, _slack_code)


def _slack_code(text: str) -> str:
    line = text.replace("`", "'").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"`{line}`"


def _escape_prose(text: str, code: Callable[[str], str]) -> str:
    """Join words, with each run of what is no ordinary word in one code span."""
    parts: list[str] = []
    unsafe_words: list[str] = []
    for word in map(escape_terminal, text.split()):
        if WORD.fullmatch(word):
            parts += [*_code_spans(unsafe_words, code), word]
            unsafe_words = []
        else:
            unsafe_words.append(word)
    return " ".join([*parts, *_code_spans(unsafe_words, code)])


def _code_spans(unsafe_words: list[str], code: Callable[[str], str]) -> list[str]:
    joined = " ".join(unsafe_words)
    bare = joined.rstrip(TRAILING)
    return [code(bare) + joined[len(bare) :]] if bare else [code(joined)] if joined else []
