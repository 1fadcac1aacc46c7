"""Read the rows of a vendor's log as records: from JSON, from CSV or from Parquet, as a stream."""

import io
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol

import orjson

from tessera_gql.formats.csv_stream import CsvStream
from tessera_gql.formats.json_stream import BYTE_ORDER_MARK, JsonStream
from tessera_gql.formats.usage_rows import Entry, UsageError, UsageFault

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_ROWS = 1_000
NULL_CELLS = ("", "\\N", "NULL", "null")
START_BYTES = 4_096


class UsageParser(Protocol):
    """Reads the records of one vendor. `check` raises UsageError at the end of a log that lacks what it needs."""

    columns: tuple[str, ...]
    """The columns without which a table is refused at once, in lower case; empty if the log is never a table."""

    def parse(self, record: Mapping[str, object]) -> Entry: ...

    def check(self) -> None: ...


class RecordReader:
    """The rows of a log as a vendor's parser reads its records."""

    def __init__(self, content: bytes, parser: UsageParser) -> None:
        self.is_truncated = False
        self._content = content
        self._parser = parser

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        if self._content.startswith(GZIP_MAGIC):
            raise UsageError("It is compressed with gzip. Decompress it first.")
        if not self._content.strip():
            raise UsageError("It is empty. Import a log without rows as [].")
        if not self._parser.columns and not is_json(self._content):
            raise UsageError("It is no JSON. Export the events as JSON, one in each line or as an array.")
        if self._content.startswith(PARQUET_MAGIC):
            yield from self._parse_all(self._iterate_parquet())
        elif is_json(self._content):
            stream = JsonStream(self._content)
            yield from self._parse_all(stream)
            self.is_truncated = stream.is_truncated
        else:
            rows = CsvStream(self._content)
            yield from self._parse_all(self._iterate_csv(rows))
            self.is_truncated = rows.is_truncated
        self._parser.check()

    def _parse_all(self, records: "JsonStream | Iterator[tuple[int, object]]") -> Iterator[tuple[int, Entry]]:
        parse = self._parser.parse
        for line, record in records:
            if isinstance(record, dict):
                yield line, parse(record)
            else:
                yield line, (record if isinstance(record, UsageFault) else UsageFault.MALFORMED_ROW,)

    def _iterate_csv(self, rows: CsvStream) -> Iterator[tuple[int, object]]:
        if (header := rows.read_header()) is None:
            return
        self._require_columns(header)
        for line, cells in rows:
            if isinstance(cells, UsageFault):
                yield line, cells
            elif len(cells) != len(header):
                yield line, UsageFault.MALFORMED_ROW
            else:
                values = (None if cell in NULL_CELLS else cell for cell in cells)
                yield line, dict(zip(header, values, strict=True))

    def _iterate_parquet(self) -> Iterator[tuple[int, object]]:
        try:
            arrow, parquet = (import_module(name) for name in ("pyarrow", "pyarrow.parquet"))  # an extra
        except ImportError:
            raise UsageError(
                "It is a Parquet file, which this server can't read: install tessera-gql[parquet] on it, or export the"
                " log as JSON or CSV."
            ) from None
        number = 0
        try:
            file: Any = parquet.ParquetFile(io.BytesIO(self._content))
            self._require_columns([str(name).lower() for name in file.schema_arrow.names])
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
        except (arrow.ArrowException, OSError, ValueError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"Its Parquet can't be read, perhaps because it was cut off: {error}.") from None

    def _require_columns(self, header: list[str]) -> None:
        for name in self._parser.columns:
            if name not in header:
                raise UsageError(
                    f"It lacks the column {name.upper()}; it has {', '.join(header)[:300]}. Export the columns"
                    f" {', '.join(self._parser.columns).upper()}."
                )


def is_json(content: bytes) -> bool:
    """Return whether a file begins as a JSON array or object does."""
    return content[:START_BYTES].removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"[", b"{")


def parse_nested(value: object) -> object:
    """Return a nested value, which tables hold as JSON text; raise ValueError for other text."""
    if isinstance(value, str):
        return None if value in NULL_CELLS else orjson.loads(value)
    return value
