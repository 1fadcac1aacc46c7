"""Contract documents in formats other than JSON Schema. They are stored and returned unchanged."""

from typing import Any

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.formats import schema_documents
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import ParsedContract, SchemaDocument, SchemaFormat
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.workflows.comparisons import IdentityKey, RunCompute
from tessera_gql.workflows.publishing import KEEP_CURRENT, KeepCurrent


@strawberry.input(description="A document of another format that describes the asset's data.")
class DocumentInput:
    format: SchemaFormat = strawberry.field(description="The format of the document.")
    text: str = strawberry.field(description="The whole document, as it is in its file.")
    part: str | None = optional(
        "The table or message to read from the document; if left out, the only one, or the one with the asset's name."
    )
    dialect: str | None = optional("The SQL dialect of a DDL document, such as snowflake.")

    def to_source(self) -> SchemaDocument:
        return SchemaDocument(self.format, self.text, or_none(self.part), or_none(self.dialect))


@strawberry.type(description="The document that a contract was read from.")
class ContractSource:
    format: SchemaFormat = strawberry.field(description="The format of the document.")
    text: str = strawberry.field(description="The whole document, exactly as it was published.")
    part: str | None = strawberry.field(description="The table or message that was read; null if not given.")
    dialect: str | None = strawberry.field(description="The SQL dialect of a DDL document; null if not given.")

    @classmethod
    def of(cls, stored: dict[str, str] | None) -> "ContractSource | None":
        if stored is None:
            return None
        source = SchemaDocument.from_json(stored)
        return cls(format=source.format, text=source.text, part=source.part, dialect=source.dialect)


def choose_guarantees(guarantees: Any, parsed: ParsedContract) -> Any:
    """Return the guarantees of the input; if they were left out, those of the document, or the active contract's."""
    if guarantees is not UNSET:
        return guarantees
    if parsed.guarantee_sections:
        return KeepCurrent(parsed.guarantees or {}, parsed.guarantee_sections)
    return KEEP_CURRENT if parsed.guarantees is None else parsed.guarantees


async def parse_contract(
    compute: RunCompute, schema: Any, document: DocumentInput | None, fqn: str | None
) -> ParsedContract:
    """Parse a schema or a document into a contract. Raise Invalid unless exactly one of them is given."""
    is_schema = schema is not UNSET and (schema is not None or document is None)
    if is_schema == (document is not None):
        raise Invalid("Give either `schema` or `document`: one of them, not both.", field=("schema",))
    if document is None:
        return ParsedContract(schema)
    try:
        contract: ParsedContract = await compute(
            schema_documents.parse_document, document.to_source(), fqn, key=("document", IdentityKey(document), fqn)
        )
    except DocumentError as error:
        raise Invalid(str(error), field=("document",)) from error
    return contract
