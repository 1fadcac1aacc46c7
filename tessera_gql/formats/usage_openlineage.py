"""Read OpenLineage events: what a completed run of a job has read of its input datasets.

The principal is the job, as namespace/name. The column lineage of the outputs says which columns were read.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeAlias, cast

from tessera_gql.formats.usage_rows import Entry, UsageFault, build_entry, parse_moment
from tessera_gql.formats.usage_seen import SeenIds

COMPLETE = "COMPLETE"
FAILED_TYPES = ("FAIL", "ABORT")

Dataset: TypeAlias = tuple[str, str]
"""The namespace and the name of a dataset."""


class OpenLineageParser:
    """Reads the COMPLETE event of each run once. Other events of a run, and those of no run, are no reads."""

    columns: tuple[str, ...] = ()

    def __init__(self, latest: datetime) -> None:
        self._latest = latest
        self._known_ids = SeenIds()

    def parse(self, record: Mapping[str, object]) -> Entry:
        kind = record.get("eventType")
        kind = kind.upper() if isinstance(kind, str) else ""
        run, job = _to_object(record.get("run")), _to_object(record.get("job"))
        if kind != COMPLETE:
            if not (run or job or record.get("dataset")):
                return (UsageFault.MALFORMED_ROW,)
            return (UsageFault.FAILED if kind in FAILED_TYPES else UsageFault.NOT_A_READ,)
        identity = run.get("runId")
        if not isinstance(identity, str) or not identity:
            return (UsageFault.MALFORMED_ROW,)
        reads = _list_reads(record)
        if not self._known_ids.add(identity.lower()):
            return (UsageFault.REPEATED,)
        if reads is None:
            return (UsageFault.MALFORMED_ROW,)
        if not reads:
            return (UsageFault.NOT_A_READ,)
        return build_entry(_name_job(job), parse_moment(record.get("eventTime")), self._latest, reads)

    def check(self) -> None:
        """Accept any events: a log in which no run has completed has no reads."""


def _name_job(job: Mapping[str, object]) -> str:
    namespace, name = job.get("namespace"), job.get("name")
    if not isinstance(name, str) or not name:
        return ""
    return f"{namespace}/{name}" if isinstance(namespace, str) and namespace else name


def _list_reads(record: Mapping[str, object]) -> list[tuple[str, str]] | None:
    """List the read columns of assets; None if the inputs or outputs are no lists of datasets.

    An input is read as a whole if no column lineage names it, or if an output has no column lineage.
    """
    inputs, outputs = record.get("inputs") or [], record.get("outputs") or []
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        return None
    columns: dict[Dataset, set[str]] = {}
    is_complete = bool(outputs)
    for output in cast("list[object]", outputs):
        lineage = _to_object(_to_object(_to_object(output).get("facets")).get("columnLineage"))
        is_complete = is_complete and bool(lineage)
        for dataset, field in _iterate_input_fields(lineage):
            columns.setdefault(dataset, set()).add(field)
    for item in cast("list[object]", inputs):
        if (read_dataset := _to_dataset(item)) is None:
            return None
        if not is_complete:
            columns.setdefault(read_dataset, set()).add("")
        columns.setdefault(read_dataset, {""})
    return [(name, field) for (_, name), fields in columns.items() for field in sorted(fields)]


def _iterate_input_fields(lineage: Mapping[str, object]) -> Iterator[tuple[Dataset, str]]:
    """Iterate over the inputs of single columns, and over those of the dataset, such as filters."""
    lists = [lineage.get("dataset")]
    lists += [_to_object(value).get("inputFields") for value in _to_object(lineage.get("fields")).values()]
    for items in lists:
        for item in cast("list[object]", items) if isinstance(items, list) else ():
            if (dataset := _to_dataset(item)) is not None:
                field = _to_object(item).get("field")
                yield dataset, field if isinstance(field, str) else ""


def _to_dataset(item: object) -> Dataset | None:
    members = _to_object(item)
    namespace, name = members.get("namespace"), members.get("name")
    return (str(namespace or ""), name) if isinstance(name, str) and name else None


def _to_object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
