"""Documents in other formats than JSON Schema: read where a schema is taken, kept and shown as they came."""

from typing import Any

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.formats import sources
from tessera_gql.formats.foreign import ForeignError
from tessera_gql.formats.sources import Format, Promised, Source
from tessera_gql.graphql.filters import given, optional
from tessera_gql.workflows.comparisons import Compute, Same


@strawberry.input(description="A document that describes one table, topic or message among others.")
class DocumentInput:
    format: Format = strawberry.field(description="What it is written in.")
    text: str = strawberry.field(description="All of it, as it is in its file.")
    part: str | None = optional(
        "Which of the tables or messages it describes; if left out, the only one, or the one that the asset is called."
    )
    dialect: str | None = optional("The dialect of the SQL, such as snowflake.")

    def local(self) -> Source:
        return Source(self.format, self.text, given(self.part), given(self.dialect))


@strawberry.type(description="The document that a contract was read from.")
class ContractSource:
    format: Format = strawberry.field(description="What it is written in.")
    text: str = strawberry.field(description="All of it, unchanged.")
    part: str | None = strawberry.field(description="Which of the tables or messages in it this is, if that was said.")
    dialect: str | None = strawberry.field(description="The dialect of the SQL, if that was said.")

    @classmethod
    def of(cls, kept: dict[str, str] | None) -> "ContractSource | None":
        if kept is None:
            return None
        found = Source.of(kept)
        return cls(format=found.format, text=found.text, part=found.part, dialect=found.dialect)


async def promised(compute: Compute, schema: Any, document: DocumentInput | None, fqn: str | None) -> Promised:
    """What is handed in, as a schema or as a document; raises Invalid unless it is one of the two."""
    is_schema = schema is not UNSET and (schema is not None or document is None)
    if is_schema == (document is not None):
        raise Invalid("Give either `schema` or `document`: one of them, not both.", field=("schema",))
    if document is None:
        return Promised(schema)
    try:
        contract: Promised = await compute(sources.read, document.local(), fqn, key=("document", Same(document), fqn))
    except ForeignError as error:
        raise Invalid(str(error), field=("document",)) from error
    return contract
