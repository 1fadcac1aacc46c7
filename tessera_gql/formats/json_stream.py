"""Read JSON values one after another: JSON lines, an array, or values in a row. Only one is held parsed at a time."""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator

import orjson

from tessera_gql.formats.usage_rows import UsageError, UsageFault

CHUNK = 1024 * 1024
MAX_VALUE = 64 * 1024 * 1024
"""Characters of one value; a larger one is no row of a log."""
MAX_NUMBER = 40
"""Characters after what may be the beginning of a number, within which its end is looked for."""
CUT_OFF_CHARS = 10
"""Characters before the end in which a value that was cut off has its first error."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()


class JsonStream:
    """The values of a file, each with its line; a fault in place of a line that is no JSON.

    `is_truncated` becomes true at the end of a file that was cut off. Reading raises UsageError for what is no JSON.
    """

    def __init__(self, content: bytes) -> None:
        self.is_truncated = False
        self._content = content
        self._start = len(BYTE_ORDER_MARK) if content.startswith(BYTE_ORDER_MARK) else 0

    def __iter__(self) -> Iterator[tuple[int, object]]:
        if _has_lines(self._content, self._start):
            yield from self._iterate_lines()
            return
        try:
            yield from self._iterate_values()
        except UnicodeDecodeError as error:
            raise UsageError("It is not text in UTF-8. Export it as text in UTF-8.") from error

    def _iterate_lines(self) -> Iterator[tuple[int, object]]:
        content, position, number = self._content, self._start, 0
        while position < len(content):
            end = content.find(b"\n", position)
            line = content[position : end if end >= 0 else len(content)].strip()
            position = end + 1 if end >= 0 else len(content)
            number += 1
            if not line:
                continue
            try:
                value: object = orjson.loads(line) if len(line) <= MAX_VALUE else UsageFault.TOO_LONG
            except ValueError:
                if end < 0:
                    self.is_truncated = True
                    return
                value = UsageFault.MALFORMED_ROW
            yield number, value

    def _iterate_values(self) -> Iterator[tuple[int, object]]:
        text = _Buffer(memoryview(self._content)[self._start :])
        while first := text.skip_space():
            if first == "[":
                text.position += 1
                yield from self._iterate_items(text)
            else:
                yield from self._decode(text)
            if self.is_truncated:
                return

    def _iterate_items(self, text: "_Buffer") -> Iterator[tuple[int, object]]:
        """Iterate over the items of an array, whose bracket was read; an array that has no end was cut off."""
        if text.skip_space() == "]":
            text.position += 1
            return
        while not self.is_truncated and text.skip_space():
            yield from self._decode(text)
            separator = text.skip_space()
            if separator == "]":
                text.position += 1
                return
            if separator and separator != "," and not self.is_truncated:
                raise UsageError(f"In line {text.line}, a comma is missing between two values of its array.")
            text.position += 1
        self.is_truncated = True

    def _decode(self, text: "_Buffer") -> Iterator[tuple[int, object]]:
        line = text.line
        value = text.decode()
        if value is text:
            self.is_truncated = True
        else:
            yield line, value


class _Buffer:
    """The part of a text that is not read yet, with its line."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._end = 0
        self._decode_bytes = getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._is_ended = False
        self.position = 0
        self.line = 1

    def _fill(self) -> None:
        start = self._end
        self._end = min(len(self._content), start + max(CHUNK, len(self._text) - self.position))
        self._is_ended = self._end == start
        self._text = self._text[self.position :] + self._decode_bytes(self._content[start : self._end])
        self.position = 0

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self.position, end)
        self.position = end

    def skip_space(self) -> str:
        """Advance to the next character that is no space, and return it; empty at the end."""
        while True:
            match = SPACE.match(self._text, self.position)
            self._advance(match.end() if match else self.position)
            if self.position < len(self._text):
                return self._text[self.position]
            if self._is_ended:
                return ""
            self._fill()

    def decode(self) -> object:
        """Read the next value; the buffer itself stands for a value that was cut off."""
        while True:
            decoded = self._try_decode()
            if decoded is not None:
                value, end = decoded
                if isinstance(value, dict | list | str) or end + MAX_NUMBER < len(self._text) or self._is_ended:
                    self._advance(end)
                    return value
            elif self._is_ended:
                return self
            if len(self._text) - self.position > MAX_VALUE:
                raise UsageError(f"In line {self.line}, a value of its JSON is longer than {MAX_VALUE:,} characters.")
            self._fill()

    def _try_decode(self) -> tuple[object, int] | None:
        """Decode the value that begins here, with its end; None if the text ends within it."""
        try:
            return DECODER.raw_decode(self._text, self.position)
        except json.JSONDecodeError as error:
            if _is_cut_off(error, self._text):
                return None
            line = self.line + self._text.count("\n", self.position, error.pos)
            raise UsageError(f"In line {line}, it is no JSON: {error.msg}.") from None
        except RecursionError:
            raise UsageError(f"In line {self.line}, its JSON is nested too deeply.") from None
        except ValueError:
            raise UsageError(f"In line {self.line}, a number of its JSON is too long.") from None


def _has_lines(content: bytes, start: int) -> bool:
    """Return whether the first line that is not empty is a JSON object of its own."""
    while start < len(content):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else len(content)].strip()
        if line:
            if not line.startswith(b"{") or len(line) > MAX_VALUE:
                return False
            try:
                orjson.loads(line)
            except ValueError:
                return False
            return True
        start = end + 1 if end >= 0 else len(content)
    return False


def _is_cut_off(error: json.JSONDecodeError, text: str) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - CUT_OFF_CHARS
