"""A change of some columns of a table is judged at once; what could take long is left to another process."""

from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.policy.compatibility import Terms
from tessera_gql.workflows.comparisons import compare_terms


class NeedsProcessError(Exception):
    pass


async def refuse(*_arguments: Any, **_options: Any) -> Any:
    raise NeedsProcessError


def table(count: int, kind: str = "string") -> Terms:
    columns = {f"c{number}": {"type": kind, "description": f"The column {number}."} for number in range(count)}
    return Terms({"type": "object", "properties": columns}, None, Mode.BACKWARD)


async def test_a_few_changed_columns_of_a_table_are_judged_without_another_process() -> None:
    judgement = await compare_terms(refuse, table(60), table(68))
    assert len(judgement.changes) == 8
    judgement = await compare_terms(refuse, table(60), table(52))
    assert len(judgement.breaking) == 8


@pytest.mark.parametrize(
    ("current", "proposed"),
    [
        (table(60), table(69)),
        (table(60), table(40, "integer")),
        (table(100), table(101)),
        (
            Terms({"properties": {"a": table(30).schema}}, None, Mode.BACKWARD),
            Terms({"properties": {"a": table(35).schema}}, None, Mode.BACKWARD),
        ),
    ],
    ids=["more columns", "all columns", "a large table", "a nested object"],
)
async def test_what_could_take_long_is_judged_by_another_process(current: Terms, proposed: Terms) -> None:
    with pytest.raises(NeedsProcessError):
        await compare_terms(refuse, current, proposed)
