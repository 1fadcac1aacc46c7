"""A small schema for tests of the transport: fields that fail, refuse, stream and flood."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NewType, Self

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from tessera_gql.config import Profile
from tessera_gql.errors import Forbidden
from tessera_gql.executor import AttributeReads, core_schema
from tessera_gql.executor.streams import StreamStart
from tessera_gql.server.http import Transport, Unauthenticated
from tessera_gql.server.limits import Limits

Value = NewType("Value", object)
Even = NewType("Even", int)


def halvable(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


class CodedError(Exception):
    def __init__(self) -> None:
        super().__init__("Tea only.")
        self.extensions = {"code": "TEAPOT"}


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class Thing:
    name: str = "thing"

    @strawberry.field
    def owner(self) -> "Thing":
        return Thing()

    @strawberry.field
    def parts(self) -> "list[Thing]":
        return [Thing()]

    @strawberry.field
    def things(self, first: int | None = None, last: int | None = None) -> "Things":
        return Things(total_count=first or last or 1)

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError("the secret of the thing")


@strawberry.type
class ThingEdge:
    cursor: str
    node: Thing


@strawberry.type
class Things:
    edges: list[ThingEdge] = strawberry.field(default_factory=lambda: [ThingEdge(cursor="1", node=Thing())])
    nodes: list[Thing] = strawberry.field(default_factory=lambda: [Thing()])
    page_info: PageInfo = strawberry.field(default_factory=PageInfo)
    total_count: int = 1


@strawberry.input
class Shape:
    sides: int = 4


@strawberry.type
class Query:
    @strawberry.field
    async def slow(self, info: strawberry.Info[Any], seconds: float) -> str | None:
        return await info.context["backend"].take(seconds)

    @strawberry.field
    def area(self, shape: Shape) -> int:
        return shape.sides

    @strawberry.field
    def hello(self) -> str:
        return "hello"

    @strawberry.field
    def viewer(self, info: strawberry.Info[Any]) -> str | None:
        return info.context["identity"].name

    @strawberry.field
    def echo(self, value: Value) -> Value | None:
        return value

    @strawberry.field
    def unwritable(self) -> Value | None:
        return Value(object())

    @strawberry.field
    def number(self, value: int) -> int:
        return value

    @strawberry.field
    def even(self, value: Even) -> int:
        return value

    @strawberry.field
    def boom(self) -> str | None:
        raise ValueError("the secret")

    @strawberry.field
    def boom_at_the_root(self) -> str:
        raise ValueError("the secret")

    @strawberry.field
    def forbidden(self) -> str | None:
        raise Forbidden("Only the owner may. Ask them.", field=("input", "team"))

    @strawberry.field
    def coded(self) -> str | None:
        raise CodedError

    @strawberry.field
    def deliberate(self) -> str | None:
        raise GraphQLError("On purpose.", extensions={"code": "CHOSEN"})

    @strawberry.field
    def database(self) -> str | None:
        raise ConnectionError("host=10.0.0.1 refused")

    @strawberry.field
    def broken_things(self, count: int) -> list[Thing]:
        return [Thing() for _ in range(count)]

    @strawberry.field
    def thing(self) -> Thing:
        return Thing()

    @strawberry.field
    def things(self, first: int | None = None, last: int | None = None) -> Things:
        return Things(total_count=first or last or 1)

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Thing]:
        return [Thing() for _ in ids]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def add(self, info: strawberry.Info[Any], text: str) -> int:
        info.context["backend"].added.append(text)
        return len(info.context["backend"].added)

    @strawberry.mutation
    async def add_slowly(self, info: strawberry.Info[Any], seconds: float) -> str | None:
        return await info.context["backend"].take(seconds)


class LogEntry(int):
    position: int

    def __new__(cls, number: int, position: int) -> Self:
        entry = super().__new__(cls, number)
        entry.position = position
        return entry


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3) -> AsyncGenerator[int]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def forever(self, info: strawberry.Info[Any], size: int = 1, pause: float = 0.01) -> AsyncGenerator[str]:
        backend: SampleBackend = info.context["backend"]
        backend.streams += 1
        try:
            while True:
                yield "x" * size
                await asyncio.sleep(pause)
        finally:
            await backend.may_close.wait()
            backend.streams -= 1
            backend.closed.set()

    @strawberry.subscription
    async def messages(self, info: strawberry.Info[Any], after: str | None = None) -> AsyncGenerator[str]:
        backend: SampleBackend = info.context["backend"]
        backend.streams += 1
        try:
            while True:
                yield (after or "") + await backend.messages.get()
        finally:
            backend.streams -= 1

    @strawberry.subscription
    async def log_numbers(
        self, info: strawberry.Info[Any, StreamStart], after: str | None = None
    ) -> AsyncGenerator[int]:
        """The numbers of the log after the position `after`, as they are written."""
        backend, start = info.context["backend"], info.root_value
        position = start.after if start.after is not None else int(after or len(backend.log))
        backend.streams += 1
        try:
            while True:
                backend.log_changed.clear()
                if position >= len(backend.log):
                    if start.on_caught_up(position):
                        return
                    await backend.log_changed.wait()
                while position < len(backend.log):
                    position += 1
                    yield LogEntry(backend.log[position - 1], position)
        finally:
            backend.streams -= 1

    @strawberry.subscription
    async def fails_after(self, count: int) -> AsyncGenerator[int]:
        for number in range(count):
            yield number
        raise ValueError("the secret of the stream")

    @strawberry.subscription
    async def fails_at_once(self, reason: str = "Not for you.") -> AsyncGenerator[int]:
        if reason:
            raise Forbidden(reason)
        yield 1

    @strawberry.subscription
    async def new_things(self, to: int) -> AsyncGenerator[Thing]:
        for _ in range(to):
            yield Thing()

    @strawberry.subscription
    async def fails_each_time(self) -> AsyncGenerator[Thing]:
        yield Thing()
        yield Thing()


SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    config=StrawberryConfig(
        scalar_map={
            Value: strawberry.scalar(name="Value", serialize=lambda value: value),
            Even: strawberry.scalar(name="Even", serialize=int, parse_value=halvable),
        }
    ),
)


class SampleContext(dict[str, Any]):
    """The context of an operation, without database."""

    def select_columns(self, reads: AttributeReads) -> None:
        """There are no tables."""

    async def reset(self) -> None:
        """There are no loaders."""


@dataclass(eq=False)
class Guest:
    name: str | None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class SampleBackend:
    """Records what a server of one test did, and controls how its resolvers behave."""

    added: list[str] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)
    open_contexts: int = 0
    streams: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    fail_on_open: Exception | None = None
    fail_on_close: Exception | None = None
    may_close: asyncio.Event = field(default_factory=_set_event)
    """Set unless operations are kept from closing."""
    log: list[int] = field(default_factory=list)
    log_changed: asyncio.Event = field(default_factory=asyncio.Event)
    messages: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    scope: Callable[[Guest], Hashable | None] = lambda _guest: None

    def write(self, *numbers: int) -> None:
        self.log += numbers
        self.log_changed.set()

    async def take(self, seconds: float) -> str:
        """Count in `streams` while it runs, and append to `added` when it completes."""
        if seconds < 0:
            raise TimeoutError
        self.streams += 1
        try:
            await asyncio.sleep(seconds)
            self.added.append("slow")
        finally:
            self.streams -= 1
        return "done"

    async def authenticate(self, authorization: str | None) -> Guest:
        if authorization == "Bearer wrong":
            raise Unauthenticated("This key is unknown. Create another.")
        if authorization == "Bearer crash":
            raise ValueError("the secret of the key store")
        guest = Guest(authorization)
        self.guests.append(guest)
        return guest

    def context(self, identity: Guest) -> AbstractAsyncContextManager[dict[str, Any]]:
        @asynccontextmanager
        async def open_context() -> AsyncIterator[dict[str, Any]]:
            if self.fail_on_open:
                raise self.fail_on_open
            self.open_contexts += 1
            try:
                yield SampleContext(identity=identity, backend=self)
                await asyncio.sleep(0)
            finally:
                self.open_contexts -= 1
            if self.fail_on_close:
                raise self.fail_on_close

        return open_context()

    def transport(self, profile: Profile = Profile.OPEN, **limits: Any) -> Transport:
        return Transport(
            schema=core_schema(SCHEMA),
            authenticate=self.authenticate,
            open_operation_context=self.context,
            to_graphql_error=translate,
            find_sharing_scope=self.scope,
            limits=replace(Limits(), **limits),
            profile=profile,
        )


def translate(error: Exception) -> GraphQLError | None:
    if isinstance(error, ConnectionError):
        return GraphQLError("The database is away. Try again.", extensions={"code": "UNAVAILABLE"})
    return None
