"""Arguments of the tools: their JSON Schemas, and errors that name the argument, its value and what is expected."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tessera_gql.agents.results import ToolError, bound_text
from tessera_gql.client.enums import DocumentFormat
from tessera_gql.client.operations.publishing import SchemaDef
from tessera_gql.client.requests import Document

SHOWN_VALUE = 80
"""Characters of a wrong value that an error repeats."""

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Limit = Annotated[int, Field(ge=1, le=25)]


class AnswerKind(StrEnum):
    """The answers that a team can give to an ask."""

    APPROVED = "APPROVED"
    MIGRATING = "MIGRATING"
    BLOCKED = "BLOCKED"


class Arguments(BaseModel):
    """Base class of the arguments of a tool."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def parse(cls, values: Mapping[str, Any] | None) -> Self:
        """Parse the arguments of a call; raises ToolError with every mistake."""
        try:
            return cls.model_validate_json(json.dumps(values or {}))
        except ValidationError as error:
            properties = cls.build_schema()["properties"]
            mistakes = [_describe_mistake(item, properties) for item in error.errors(include_url=False)]
            raise ToolError("INVALID", " ".join(dict.fromkeys(mistakes))) from None
        except (ValueError, RecursionError) as error:
            raise ToolError("INVALID", f"The arguments are not JSON that can be read: {error}.") from None

    @classmethod
    def build_schema(cls) -> dict[str, Any]:
        """Build the JSON Schema of the arguments, without what only adds to its size."""
        schema = cls.model_json_schema()
        definitions = schema.get("$defs", {})
        properties = {name: _simplify(value, definitions) for name, value in schema["properties"].items()}
        required = {"required": schema["required"]} if "required" in schema else {}
        return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def _simplify(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Inline definitions, and drop titles and the null of an optional argument."""
    options = [item for item in schema.get("anyOf", ()) if item.get("type") != "null"]
    merged = {**(options[0] if options else {}), **schema}
    if reference := merged.pop("$ref", None):
        merged = {**definitions[reference.rpartition("/")[2]], **merged}
    simplified = {
        key: value for key, value in merged.items() if key not in {"anyOf", "title", "maxLength", "minLength"}
    }
    if simplified.get("default", "") is None:
        del simplified["default"]
    if "enum" in simplified and schema.get("description") is None:
        simplified.pop("description", None)
    if simplified.get("type") == "object":
        simplified.pop("additionalProperties", None)
    return simplified


def _describe_mistake(error: Any, properties: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        nearest = get_close_matches(name, properties, n=1, cutoff=0.5)
        hint = f"Did you mean `{nearest[0]}`?" if nearest else f"There are {', '.join(properties)}."
        return f"There is no argument `{bound_text(name, SHOWN_VALUE)}`. {hint}"
    expected = _describe_expectation(properties.get(name, {}), error)
    if error["type"] == "missing":
        return f"`{name}` is missing; expected {expected}."
    value = bound_text(json.dumps(error["input"], ensure_ascii=False, default=str), SHOWN_VALUE)
    return f"`{name}` is {value}; expected {expected}."


def _describe_expectation(schema: Mapping[str, Any], error: Any) -> str:
    match schema:
        case {"enum": list(values)}:
            return f"one of {', '.join(map(str, values))}"
        case {"format": "date-time"}:
            return "a time with its zone, such as 2031-01-31T12:00:00Z"
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"an integer from {low} to {high}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "object"}:
            return "a JSON object"
        case _:
            pass
    if error["type"] == "string_too_long":
        return f"a text of at most {error['ctx']['max_length']:,} characters"
    return "a text that is not empty"


class FindAsset(Arguments):
    """Arguments of find_asset."""

    query: Annotated[Name, Field(description="Words of a name, description or column.")]
    limit: Limit = 10


class GetContract(Arguments):
    """Arguments of get_contract."""

    asset: Annotated[Name, Field(description="Name (fqn) or id.")]
    version: Annotated[Name | None, Field(description="Default: the active version.")] = None
    fields: Annotated[Name | None, Field(description="List only fields with these words.")] = None


class WhoReads(Arguments):
    """Arguments of who_reads."""

    asset: Name
    field: Annotated[Name | None, Field(description="Path of a column.")] = None


class ListAsks(Arguments):
    """Arguments of list_asks."""

    team: Annotated[Name | None, Field(description="Default: the key's team.")] = None
    limit: Annotated[int, Field(ge=1, le=10)] = 10
    after: Annotated[Name | None, Field(description="`cursor` of the last ask that you have.")] = None


class ProposedSchema(Arguments):
    """An asset and its proposed schema: a JSON Schema, or a document in another format."""

    asset: Name
    json_schema: Annotated[dict[str, Any] | None, Field(description="The whole new JSON Schema.")] = None
    document: Annotated[str | None, Field(description="Or the schema as text in `format`.")] = None
    format: DocumentFormat | None = None
    part: Annotated[Name | None, Field(description="Table or message in the document.")] = None
    dialect: Annotated[Name | None, Field(description="SQL dialect of DDL.")] = None

    @property
    def definition(self) -> SchemaDef | Document:
        """The proposed schema; raises ToolError unless it is given in one way."""
        if (self.json_schema is None) == (self.document is None):
            message = "`json_schema` and `document`: expected one of them, a JSON object or a text."
            raise ToolError("INVALID", message)
        if self.json_schema is not None:
            return self.json_schema
        if self.format is None:
            raise ToolError("INVALID", f"`format` is missing; expected one of {', '.join(DocumentFormat)}.")
        return Document(self.format, self.document or "", self.part, self.dialect)


class ProposeChange(ProposedSchema):
    """Arguments of propose_change."""

    reason: Annotated[Text | None, Field(description="Why, for the teams that are asked.")] = None
    publish: Annotated[
        bool, Field(description="false: only ask teams. true: also publish, once every asked team agrees.")
    ] = False
    change_set: Annotated[Name | None, Field(description="Key of the pull request.")] = None
    team: Annotated[Name | None, Field(description="Acting team.")] = None
    confirm: bool = False


class AnswerAsk(Arguments):
    """Arguments of answer_ask."""

    ask: Annotated[Name, Field(description="`ask` of list_asks, or a proposal's id.")]
    response: AnswerKind
    migration_deadline: Annotated[AwareDatetime | None, Field(description="Needed for MIGRATING.")] = None
    notes: Annotated[Text | None, Field(description="For the owner; needed for BLOCKED.")] = None
    team: Annotated[Name | None, Field(description="The asked team. Default: the key's team.")] = None
    confirm: bool = False
