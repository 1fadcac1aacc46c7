"""Read CSV as a stream of rows, with the lines of those that are no CSV."""

import csv
import io
from collections.abc import Iterator

from tessera_gql.formats.usage_rows import UsageError, UsageFault

MAX_CELL = 16 * 1024 * 1024
"""Characters of a cell: a VARIANT of Snowflake has at most as many bytes."""
END_OF_FILE = "unexpected end of data"

csv.field_size_limit(MAX_CELL)


class CsvStream:
    """The rows after the first line, each with its line; a fault in place of what is no CSV.

    `is_truncated` becomes true at the end of a file that was cut off. Reading raises UsageError for what is no text.
    """

    def __init__(self, content: bytes) -> None:
        self.is_truncated = False
        self._lines = _Lines(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""))
        self._reader = csv.reader(self._lines, strict=True)
        self._width = 0

    def read_header(self) -> list[str] | None:
        """Read the names of the columns in lower case; None if there is no first line."""
        try:
            header = [name.strip().strip('"').lower() for name in next(self._reader)]
        except StopIteration:
            return None
        except UnicodeDecodeError as error:
            raise _no_text() from error
        except csv.Error as error:
            raise UsageError(f"Its first line is no CSV ({error}).") from None
        self._width = len(header)
        return header

    def __iter__(self) -> Iterator[tuple[int, list[str] | UsageFault]]:
        try:
            yield from self._iterate_rows()
        except UnicodeDecodeError as error:
            if error.reason != END_OF_FILE:
                raise _no_text() from error
            self.is_truncated = True  # within a character

    def _iterate_rows(self) -> Iterator[tuple[int, list[str] | UsageFault]]:
        while not self.is_truncated:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                if str(error) == END_OF_FILE:
                    self.is_truncated = True
                    return
                is_too_long = "limit" in str(error)
                yield self._reader.line_num, UsageFault.TOO_LONG if is_too_long else UsageFault.MALFORMED_ROW
                continue
            if self._lines.is_cut_off and 0 < len(cells) < self._width:
                self.is_truncated = True
            elif cells:
                yield self._reader.line_num, cells


def _no_text() -> UsageError:
    return UsageError("It is not text in UTF-8. Export it as text in UTF-8.")


class _Lines(Iterator[str]):
    """The lines of a stream; `is_cut_off` after the last one if that has no end."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self.is_cut_off = False

    def __next__(self) -> str:
        line = next(self._stream)
        self.is_cut_off = not line.endswith(("\n", "\r"))
        return line
