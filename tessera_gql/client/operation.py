"""GraphQL operations of the SDK: the document, its variables and the typed result. Independent of the transport."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from tessera_gql.client.base_model import Model, build_selection
from tessera_gql.client.errors import BadRequest, InvalidArgument, NotFound, build_refusal
from tessera_gql.client.global_ids import is_global_id
from tessera_gql.client.models import AssetSummary, JsonObject, TeamSummary
from tessera_gql.client.progress import ProgressCallback

T = TypeVar("T")
M = TypeVar("M", bound=Model)

TeamRef: TypeAlias = str | TeamSummary
"""A team, its name, or its id."""

AssetRef: TypeAlias = str | AssetSummary
"""An asset, its fqn, or its id."""

PAGE_SIZE = 50
UPLOAD_PLACEHOLDER = "\x00upload"
CATALOG_PLACEHOLDER = "\x00catalog"
"""Value of a variable for which the file is sent as a part of a multipart request."""
ERRORS_SELECTION = "errors { code field message }"


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A query or mutation, and the function that parses its data.

    `is_idempotent`: it may be sent again when its response was lost, for a mutation because of its `idempotency_key`.
    `upload` is the file to send for every UPLOAD_PLACEHOLDER in the variables, as it is, without being encoded again.
    """

    document: str
    variables: Mapping[str, Any]
    parse: Callable[[JsonObject], T]
    is_idempotent: bool = True
    upload: bytes | None = None
    catalog: bytes | None = None
    """A second file, sent for the CATALOG_PLACEHOLDER."""
    on_progress: ProgressCallback | None = None
    idempotency_key: str | None = None

    @property
    def is_mutation(self) -> bool:
        return self.document.startswith("mutation ")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a connection. `next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class PaginatedQuery(Generic[T]):
    """A query for all pages of a connection."""

    first_page: Operation[Page[T]]

    def page_after(self, cursor: str) -> Operation[Page[T]]:
        return replace(self.first_page, variables={**self.first_page.variables, "after": cursor})


@dataclass(frozen=True)
class Subscription(Generic[T]):
    """A subscription that resumes after a cursor.

    `get_cursor` returns the cursor of a message. `after` is the cursor to start from; None means the moment of the
    first iteration.
    """

    document: str
    variables: Mapping[str, Any]
    parse: Callable[[JsonObject], T]
    get_cursor: Callable[[T], str]
    after: str | None = None


@dataclass(frozen=True)
class RootField(Generic[M]):
    """A root field, the GraphQL types of its arguments by name, and the model of its value.

    The methods build its operations. Each argument is taken from the variable of the same name.
    """

    name: str
    model: type[M]
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    def build_find_query(self, variables: Mapping[str, Any]) -> Operation[M | None]:
        def parse(data: JsonObject) -> M | None:
            return None if data[self.name] is None else parse_model(self.model, data[self.name])

        return Operation(self.build_document("query", build_selection(self.model)), variables, parse)

    def build_get_query(self, variables: Mapping[str, Any], missing: str) -> Operation[M]:
        """Build a query that raises NotFound with the message `missing` if the value is null."""
        query = self.build_find_query(variables)

        def parse(data: JsonObject) -> M:
            if (value := query.parse(data)) is None:
                raise NotFound(missing)
            return value

        return Operation(query.document, variables, parse)

    def build_list_query(self, variables: Mapping[str, Any] | None = None) -> Operation[tuple[M, ...]]:
        """Build a query of a list that has no pages."""

        def parse(data: JsonObject) -> tuple[M, ...]:
            return tuple(parse_model(self.model, item) for item in data[self.name])

        return Operation(self.build_document("query", build_selection(self.model)), variables or {}, parse)

    def build_paginated_query(self, **variables: Any) -> PaginatedQuery[M]:
        root = self._with_arguments(first="Int", after="String")
        document = root.build_document("query", _build_page_selection(self.model))
        variables = build_variables(first=PAGE_SIZE, **variables)
        return PaginatedQuery(Operation(document, variables, lambda data: _parse_page(self.model, data[self.name])))

    def build_nested_paginated_query(
        self, connection: str, variables: Mapping[str, Any], missing: str, **arguments: tuple[str, Any]
    ) -> PaginatedQuery[M]:
        """Build the query for a connection of the field's value; raises NotFound if that value is null.

        The `arguments` of the connection have a type and a value each.
        """

        def parse(data: JsonObject) -> Page[M]:
            if data[self.name] is None:
                raise NotFound(missing)
            return _parse_page(self.model, data[self.name][connection])

        types = {"first": "Int", "after": "String", **{name: type_ for name, (type_, _) in arguments.items()}}
        values = build_variables(**{name: value for name, (_, value) in arguments.items()})
        passed = ", ".join(f"{name}: ${name}" for name in types)
        selection = f"{connection}({passed}) {{ {_build_page_selection(self.model)} }}"
        document = self.build_document("query", selection, **types)
        return PaginatedQuery(Operation(document, {"first": PAGE_SIZE, **variables, **values}, parse))

    def build_mutation(self, input_: JsonObject, *, payload_field: str | None = None) -> Operation[M]:
        """Build a mutation that returns a field of its payload, or the payload itself without `payload_field`.

        It is sent again after a lost response only if the input has an idempotency key.
        """
        key: str | None = input_.get("idempotencyKey")
        selection = build_selection(self.model)
        selection = f"{payload_field} {{ {selection} }}" if payload_field else selection

        def parse(data: JsonObject) -> M:
            payload: JsonObject = data[self.name]
            for error in payload["errors"]:
                raise build_refusal(error["code"], error["message"], error["field"] or ())
            model = parse_model(self.model, payload[payload_field] if payload_field else payload)
            return model.with_idempotency_key(key) if key else model

        root = self._with_arguments(input=f"{self._capitalized_name}Input!")
        document = root.build_document("mutation", f"{selection} {ERRORS_SELECTION}")
        return Operation(document, {"input": input_}, parse, is_idempotent=key is not None, idempotency_key=key)

    def build_idempotent_mutation(self, input_: JsonObject, *, payload_field: str | None = None) -> Operation[M]:
        """Build a mutation with an idempotency key: the server executes it once, however often it is sent.

        The key is random unless the input has one.
        """
        return self.build_mutation({"idempotencyKey": uuid.uuid4().hex, **input_}, payload_field=payload_field)

    def build_subscription(
        self, get_cursor: Callable[[M], str], variables: Mapping[str, Any], after: str | None
    ) -> Subscription[M]:
        document = self._with_arguments(after="String").build_document("subscription", build_selection(self.model))
        return Subscription(
            document, variables, lambda data: parse_model(self.model, data[self.name]), get_cursor, after
        )

    def _with_arguments(self, **arguments: str) -> "RootField[M]":
        return replace(self, arguments={**self.arguments, **arguments})

    @property
    def _capitalized_name(self) -> str:
        return self.name[0].upper() + self.name[1:]

    def build_document(self, operation_type: str, selection: str, **inner_variables: str) -> str:
        """Build the document; `inner_variables` are the types of variables that only the selection uses."""
        types = {**self.arguments, **inner_variables}
        declared = ", ".join(f"${variable}: {type_}" for variable, type_ in types.items())
        passed = ", ".join(f"{name}: ${name}" for name in self.arguments)
        head = f"{operation_type} {self._capitalized_name}{f'({declared})' if declared else ''}"
        return f"{head} {{ {self.name}{f'({passed})' if passed else ''} {{ {selection} }} }}"


def _build_page_selection(model: type[Model]) -> str:
    return f"nodes {{ {build_selection(model)} }} pageInfo {{ hasNextPage endCursor }}"


def _parse_page(model: type[M], connection: JsonObject) -> Page[M]:
    info = connection["pageInfo"]
    items = tuple(parse_model(model, node) for node in connection["nodes"])
    return Page(items, info["endCursor"] if info["hasNextPage"] else None)


def parse_model(model: type[M], value: object) -> M:
    """Parse a JSON value; raises BadRequest if it does not fit the model."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise BadRequest(
            f"The server's answer is not what this client knows ({path}: {first['msg']}). Use a client of its version."
        ) from None


def build_variables(**values: Any) -> JsonObject:
    """Build variables in camel case, without those that are None."""
    return {to_camel(name): _serialize(value) for name, value in values.items() if value is not None}


def build_nullable_variables(values: Mapping[str, Any]) -> JsonObject:
    """Build variables in camel case. One that is None is sent as null, which clears the value on the server."""
    return {to_camel(name): _serialize(value) for name, value in values.items()}


def build_filter(**conditions: tuple[str, Any]) -> JsonObject | None:
    """Build a filter from an operator and a value for each field; fields with an empty value are left out."""
    return build_variables(**{name: {op: value} for name, (op, value) in conditions.items() if value}) or None


def build_archive_filter(filter_: JsonObject | None, *, is_archived: bool) -> JsonObject | None:
    """Add the condition to a filter that selects archived objects; without it a list leaves them out."""
    return {**(filter_ or {}), "isArchived": True} if is_archived else filter_


def _serialize(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise InvalidArgument(f"{value} has no time zone. Give one, for example datetime(2031, 1, 1, tzinfo=UTC).")
    return value.isoformat()


def build_team_ref(team: TeamRef | None) -> JsonObject | None:
    if team is None:
        return None
    if isinstance(team, TeamSummary):
        return {"id": team.id}
    return {"id" if is_global_id(team, "Team") else "name": team}


def build_asset_ref(asset: AssetRef) -> JsonObject:
    if isinstance(asset, AssetSummary):
        return {"id": asset.id}
    return {"id" if is_global_id(asset, "Asset") else "fqn": asset}


def build_change_set_ref(change_set: str) -> JsonObject:
    """Build the reference to a change set by its id or key."""
    return {"id" if is_global_id(change_set, "ChangeSet") else "key": change_set}


def describe_missing_asset(asset: AssetRef) -> str:
    """Describe that there is no such asset."""
    name = asset.fqn if isinstance(asset, AssetSummary) else asset
    return f"There is no asset {name!r}. `assets()` lists them all."


def describe_missing_team(team: TeamRef) -> str:
    """Describe that there is no such team."""
    name = team.name if isinstance(team, TeamSummary) else team
    return f"There is no team {name!r}. `teams()` lists them all."
