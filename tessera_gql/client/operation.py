"""One operation: the document that is sent, and the typed value that its answer is read as. Knows no transport."""

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from tessera_gql.client.errors import BadRequest, NotFound, refusal
from tessera_gql.client.model import Model, selection
from tessera_gql.client.nouns import AssetName, JsonObject, TeamName
from tessera_gql.client.progress import Hear

T = TypeVar("T")
M = TypeVar("M", bound=Model)

TeamRef: TypeAlias = str | TeamName
"""A team, its name, or its id."""

AssetRef: TypeAlias = str | AssetName
"""An asset, its fqn, or its id."""

PAGE = 50
UPLOAD = "\x00upload"
ERRORS = "errors { code field message }"


@dataclass(frozen=True)
class Operation(Generic[T]):
    """`repeatable`: doing it twice is doing it once, so that it may be sent again when its answer was lost.

    `upload` is a file that stands wherever the variables say UPLOAD: it may be large and is not read again. `hear` is
    told how far it has come.
    """

    document: str
    variables: Mapping[str, Any]
    parse: Callable[[JsonObject], T]
    repeatable: bool = True
    upload: bytes | None = None
    hear: Hear | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """Every page of a connection: its first operation, and how to ask for the page behind a cursor."""

    first: Operation[Page[T]]

    def behind(self, cursor: str) -> Operation[Page[T]]:
        return replace(self.first, variables={**self.first.variables, "after": cursor})


@dataclass(frozen=True)
class Subscription(Generic[T]):
    """What to listen to, from behind the cursor `after`; None is from the moment it is first waited for."""

    document: str
    variables: Mapping[str, Any]
    parse: Callable[[JsonObject], T]
    cursor: Callable[[T], str]
    after: str | None = None


@dataclass(frozen=True)
class Field(Generic[M]):
    """A root field with its arguments (name to GraphQL type), and the model that it is read as."""

    name: str
    model: type[M]
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def call(self) -> str:
        passed = ", ".join(f"{one}: ${one}" for one in self.arguments)
        return f"{self.name}({passed})" if passed else self.name

    def document(self, kind: str, inner: str, **others: str) -> str:
        """`others` are variables of the operation that only `inner` has, with their types."""
        name = self.name[0].upper() + self.name[1:]
        declared = ", ".join(f"${one}: {type_}" for one, type_ in {**self.arguments, **others}.items())
        head = f"{kind} {name}({declared})" if declared else f"{kind} {name}"
        return f"{head} {{ {self.call} {{ {inner} }} }}"


def get(root: Field[M], variables: Mapping[str, Any], missing: str) -> Operation[M]:
    """Raises NotFound where there is nothing."""
    found = find(root, variables)

    def parse(data: JsonObject) -> M:
        value = found.parse(data)
        if value is None:
            raise NotFound(missing)
        return value

    return Operation(found.document, variables, parse)


def find(root: Field[M], variables: Mapping[str, Any]) -> Operation[M | None]:
    def parse(data: JsonObject) -> M | None:
        value = data[root.name]
        return None if value is None else read(root.model, value)

    return Operation(root.document("query", selection(root.model)), variables, parse)


def pages(root: Field[M], **variables: Any) -> Listing[M]:
    """A connection, some at a time."""
    paged = replace(root, arguments={**root.arguments, "first": "Int", "after": "String"})

    def parse(data: JsonObject) -> Page[M]:
        return _page(root.model, data[root.name])

    return Listing(Operation(paged.document("query", _paged(root.model)), given(first=PAGE, **variables), parse))


def _paged(model: type[Model]) -> str:
    return f"nodes {{ {selection(model)} }} pageInfo {{ hasNextPage endCursor }}"


def _page(model: type[M], found: JsonObject) -> Page[M]:
    info = found["pageInfo"]
    items = tuple(read(model, one) for one in found["nodes"])
    return Page(items, info["endCursor"] if info["hasNextPage"] else None)


def nested(root: Field[M], connection: str, variables: Mapping[str, Any], missing: str) -> Listing[M]:
    """A connection of the one thing that the root field gives; raises NotFound where there is none."""

    def parse(data: JsonObject) -> Page[M]:
        if data[root.name] is None:
            raise NotFound(missing)
        return _page(root.model, data[root.name][connection])

    inner = f"{connection}(first: $first, after: $after) {{ {_paged(root.model)} }}"
    document = root.document("query", inner, first="Int", after="String")
    return Listing(Operation(document, {"first": PAGE, **variables}, parse))


def change(root: Field[M], input_: JsonObject, *, of: str | None = None, repeatable: bool = False) -> Operation[M]:
    """A mutation: `of` is the field of its payload that is wanted, None for the payload itself."""
    kind = f"{root.name[0].upper()}{root.name[1:]}Input!"
    taking = replace(root, arguments={"input": kind})
    wanted = selection(root.model)
    inner = f"{of} {{ {wanted} }} {ERRORS}" if of else f"{wanted} {ERRORS}"

    def parse(data: JsonObject) -> M:
        payload: JsonObject = data[root.name]
        for error in payload["errors"]:
            raise refusal(error["code"], error["message"], error["field"] or ())
        return read(root.model, payload[of] if of else payload)

    return Operation(taking.document("mutation", inner), {"input": input_}, parse, repeatable)


def create(root: Field[M], input_: JsonObject, *, of: str | None = None) -> Operation[M]:
    """A mutation that may be sent again: it bears a key of its own, and is done once."""
    return change(root, {"idempotencyKey": uuid.uuid4().hex, **input_}, of=of, repeatable=True)


def listen(
    root: Field[M], cursor: Callable[[M], str], variables: Mapping[str, Any], after: str | None
) -> Subscription[M]:
    taking = replace(root, arguments={**root.arguments, "after": "String"})
    document = taking.document("subscription", selection(root.model))

    def parse(data: JsonObject) -> M:
        return read(root.model, data[root.name])

    return Subscription(document, variables, parse, cursor, after)


def read(kind: type[M], value: object) -> M:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadRequest(
            f"The server's answer is not what this client knows ({place}: {first['msg']}). Use a client of its version."
        ) from None


def given(**variables: Any) -> JsonObject:
    """Variables as they are sent: camel case, moments in words, and without those left out."""
    return {to_camel(name): _sent(value) for name, value in variables.items() if value is not None}


def stated(changes: Mapping[str, Any]) -> JsonObject:
    """As `given`, but None says null: it takes away what was there."""
    return {to_camel(name): _sent(value) for name, value in changes.items()}


def _sent(value: Any) -> Any:
    match value:
        case datetime() if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone. Give one, for example datetime(2031, 1, 1, tzinfo=UTC).")
        case datetime():
            return value.isoformat()
        case tuple():
            return [*value]
        case _:
            return value


def team_ref(team: TeamRef | None) -> JsonObject | None:
    match team:
        case None:
            return None
        case TeamName(id=identity):
            return {"id": identity}
        case _:
            return {"id" if is_id(team, "Team") else "name": team}


def asset_ref(asset: AssetRef) -> JsonObject:
    match asset:
        case AssetName(id=identity):
            return {"id": identity}
        case _:
            return {"id" if is_id(asset, "Asset") else "fqn": asset}


def is_id(text: str, kind: str) -> bool:
    """Whether it is a thing's id rather than its name."""
    try:
        return base64.urlsafe_b64decode(text.encode()).startswith(f"{kind}:".encode())
    except (ValueError, binascii.Error):
        return False
