"""Every query of the SDK, the command line and the examples can be planned."""

import re
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from graphql.execution.values import VariableValues

from tessera_gql.cli import demo, serve
from tessera_gql.executor import PlanCache
from tessera_gql.graphql.schema import schema
from tests.client.test_operations import BUILT, document

ROOT = Path(__file__).parents[2]
WRITTEN = {
    "tessera serve": serve.FIRST_QUERY,
    "tessera serve --demo": demo.FIRST_QUERY,
    **{
        f"{path.name} {number}": text
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for number, text in enumerate(re.findall(r"```graphql\n(.*?)```", path.read_text(), re.DOTALL))
    },
    **{
        f"{path.name} {number}": text
        for path in (ROOT / "examples").glob("*.py")
        for number, text in enumerate(re.findall(r'"""\s*(query\b.*?|\{.*?)"""', path.read_text(), re.DOTALL))
    },
}


@pytest.mark.parametrize(
    "text",
    [pytest.param(document(name), id=name) for name in BUILT]
    + [pytest.param(text, id=name) for name, text in WRITTEN.items()],
)
def test_every_documented_query_is_planned(text: str) -> None:
    parsed = parse(text)
    for node in parsed.definitions:
        if isinstance(node, OperationDefinitionNode) and node.operation is OperationType.QUERY:
            assert (
                PlanCache().get(schema._schema, parsed, node, VariableValues({}, {})).root.object_type.name == "Query"
            )
