"""Carries a plan out level by level: all objects of a place at once. Any failure is raised, none is answered here."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from types import CoroutineType
from typing import Any, cast
from weakref import WeakKeyDictionary

from graphql import GraphQLObjectType, GraphQLResolveInfo, Undefined, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import is_awaitable
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from tessera_gql.executor.fields import (
    Attribute,
    Batched,
    Declared,
    ResolveInfo,
    caller,
    is_plain,
    python_arguments,
    shown_info,
)
from tessera_gql.executor.leaves import Unplanned, items
from tessera_gql.executor.plan import Plan, Selection, Shape, Step

AWAITED = 2_000
"""Values of one field that are awaited at once."""
CHUNK = 500
"""Objects built at once, at most."""
PORTION_SECONDS = 0.002
"""After which others of the event loop get their turn."""


class Unknown:
    """Stands for what differs from parent to parent, where one `info` serves them all."""

    def __getattr__(self, name: str) -> Any:
        raise Unplanned(f"`info` was asked for a path or its helpers ({name})")


@dataclass
class Run:
    """One execution of a plan."""

    plan: Plan
    context: Any
    variables: VariableValues
    spend: Callable[[float], None]
    """Told of seconds of computing, as they are spent."""
    _held: float = 0.0
    """Seconds since others of the event loop had their turn."""
    _given_up: bool = False
    """Something has failed: what runs beside it stops at its next step."""

    async def data(self) -> dict[str, Any]:
        (found,) = await self.level(self.plan.root, [None])
        return found

    async def level(self, selection: Selection, parents: Sequence[Any]) -> list[dict[str, Any]]:
        """An object for each parent."""
        built = await self._objects(selection, parents)
        concurrent: list[Coroutine[Any, Any, None]] = []
        try:
            for step in selection.steps:
                if step.waits:
                    concurrent.append(self._step(step, parents, built))
                else:
                    await self._step(step, parents, built)
        except BaseException:
            for one in concurrent:
                one.close()
            raise
        if len(concurrent) == 1:
            await concurrent[0]
        elif concurrent:
            await together(concurrent)
        return built

    async def _objects(self, selection: Selection, parents: Sequence[Any]) -> list[dict[str, Any]]:
        """Built in portions of a few milliseconds: one object may hold megabytes of JSON that is parsed here.

        Of all long answers one portion is built at a time, so that a short one waits for one portion only.
        """
        built: list[dict[str, Any]] = []
        size = 1
        while len(built) < len(parents):
            portion = parents[len(built) : len(built) + size]
            if self._held < PORTION_SECONDS:
                seconds = self._portion(selection, portion, built)
            else:
                async with _one_portion():
                    await asyncio.sleep(0)
                    self._held = 0.0
                    seconds = self._portion(selection, portion, built)
            size = min(CHUNK, int(size * PORTION_SECONDS / max(seconds, PORTION_SECONDS / CHUNK)) or 1)
        return built

    def _portion(self, selection: Selection, parents: Sequence[Any], built: list[dict[str, Any]]) -> float:
        """Adds the objects of some parents; returns the seconds that it took."""
        began = time.perf_counter()
        built += selection.build(parents)
        seconds = time.perf_counter() - began
        self._held += seconds
        self.spend(seconds)
        return seconds

    async def _step(self, step: Step, parents: Sequence[Any], built: list[dict[str, Any]]) -> None:
        """Puts the field's values where they belong."""
        if self._given_up:
            raise Unplanned("something else has failed")
        try:
            values = await self._values(step, parents)
        except BaseException:
            self._given_up = True
            raise
        key = step.key
        for one, value in zip(built, values, strict=True):
            one[key] = value

    async def _values(self, step: Step, parents: Sequence[Any]) -> list[Any]:
        match step.source:
            case Attribute(name=name):
                return await self._completed(step, step.shape, list(map(attrgetter(name), parents)))
            case Batched():
                return await self._batched(step, parents)
            case source:
                call = caller(source, step.definition, self._info(step))
                return await self._completed(step, step.shape, called(call, parents))

    async def _batched(self, step: Step, parents: Sequence[Any]) -> list[Any]:
        source, info = cast("Batched", step.source), self._info(step)
        shown = shown_info(source.declared, info)
        bound = source.batch.bind(shown, **self._given(step, source.declared, info, shown))
        keys = list(map(bound.key, parents))
        distinct = dict.fromkeys(keys)
        if None in distinct:
            if not step.shape.nullable:
                raise Unplanned("null where none may be")
            del distinct[None]
        wanted = [*distinct]
        found = await bound.load_many(wanted) if wanted else []
        values = list(map(bound.show, wanted, found))
        done = await self._completed(step, step.shape, values)
        return done if len(done) == len(keys) else list(map(dict(zip(wanted, done, strict=True)).get, keys))

    def _given(self, step: Step, declared: Declared, info: ResolveInfo, shown: Any) -> dict[str, Any]:
        """The arguments; those that are plain values in the document itself are read once for all executions."""
        if (found := step.given) is None:
            found = python_arguments(declared, step.definition, info, shown)
            if is_plain(step.field_nodes[0], found.values()):
                step.given = found
        return {**found}

    async def _completed(self, step: Step, shape: Shape, values: list[Any]) -> list[Any]:
        values = await settled(values)
        present = [value for value in values if value is not None]
        if len(present) < len(values) and not shape.nullable:
            raise Unplanned("null where none may be")
        if not present:
            return values
        if shape.item is not None:
            done = await self._lists(step, shape.item, present)
        elif step.finish is not None:
            done = list(map(step.finish, present))
        else:
            done = await self._named(step, present)
        if len(present) == len(values):
            return done
        rest = iter(done)
        return [None if value is None else next(rest) for value in values]

    async def _lists(self, step: Step, shape: Shape, values: list[Any]) -> list[Any]:
        """All items of all lists at once."""
        lists = [list(items(value)) for value in values]
        done = await self._completed(step, shape, list(chain.from_iterable(lists)))
        if len(lists) == 1:
            return [done]
        rest = iter(done)
        return [[next(rest) for _ in one] for one in lists]

    async def _named(self, step: Step, values: list[Any]) -> list[Any]:
        if step.abstract is None:
            return await self._of(step, step.named, values)
        kinds = [self._kind(step, value) for value in values]
        if len(apart := dict.fromkeys(kinds)) == 1:
            return await self._of(step, kinds[0], values)
        work = [
            self._of(step, kind, [value for value, of in zip(values, kinds, strict=True) if of is kind])
            for kind in apart
        ]
        done = dict(zip(apart, map(iter, await together(work)), strict=True))
        return [next(done[kind]) for kind in kinds]

    def _kind(self, step: Step, value: Any) -> GraphQLObjectType:
        abstract = cast("Any", step.abstract)
        name = (abstract.resolve_type or default_type_resolver)(value, self._info(step), abstract)
        kind = self.plan.schema.get_type(name) if isinstance(name, str) else None
        if not isinstance(kind, GraphQLObjectType) or not self.plan.schema.is_sub_type(abstract, kind):
            raise Unplanned(f"{name!r} as the type of {type(value).__name__}")
        return kind

    async def _of(self, step: Step, kind: GraphQLObjectType, values: list[Any]) -> list[Any]:
        selection = step.branch(kind)
        if kind.is_type_of is not None and not _plainly(selection.origin, values):
            info = self._info(step)
            if not all(kind.is_type_of(value, info) is True for value in values):
                raise Unplanned(f"a value that is no {kind.name}")
        return await self.level(selection, values)

    def _info(self, step: Step) -> ResolveInfo:
        plan, unknown = self.plan, cast("Any", Unknown())
        return GraphQLResolveInfo(
            step.nodes[0].node.name.value,
            step.field_nodes,
            step.definition.type,
            step.parent,
            unknown,
            plan.schema,
            plan.definitions,
            None,
            plan.operation,
            self.variables,
            self.context,
            is_awaitable,
            None,
            unknown,
        )


_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _one_portion() -> asyncio.Lock:
    """Held while a portion of a long answer is built; one for each event loop."""
    return _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _plainly(origin: type | None, values: list[Any]) -> bool:
    """Whether all are instances of exactly this class, and none was cast to another."""
    return set(map(type, values)) == {origin} and not any(map(hasattr, values, repeat(TYPE_CAST_ATTRIBUTE)))


def called(call: Callable[[Any], Any], parents: Sequence[Any]) -> list[Any]:
    """The value for each parent; when one fails, no coroutine of the others is left unawaited."""
    values: list[Any] = []
    try:
        for parent in parents:
            values.append(call(parent))  # noqa: PERF401 - what is there already is needed when one fails
    except BaseException:
        close(values)
        raise
    return values


async def settled(values: list[Any]) -> list[Any]:
    """The values, awaited where they have to be."""
    kinds = set(map(type, values))
    if not any(_is_unusual(kind) for kind in kinds):
        return values
    if any(issubclass(kind, Exception) or kind is type(Undefined) for kind in kinds):
        close(values)
        raise Unplanned("an exception as a value")
    if len(values) == 1:
        return await settled([await values[0]])
    waiting = [place for place, value in enumerate(values) if inspect.isawaitable(value)]
    found = list(values)
    for start in range(0, len(waiting), AWAITED):
        places = waiting[start : start + AWAITED]
        try:
            done = await together([values[place] for place in places])
        except BaseException:
            close([values[place] for place in waiting[start + AWAITED :]])
            raise
        for place, value in zip(places, done, strict=True):
            found[place] = value
    return await settled(found)


def _is_unusual(kind: type) -> bool:
    return hasattr(kind, "__await__") or issubclass(kind, Exception) or kind is type(Undefined)


def close(values: Sequence[Any]) -> None:
    """Gives up coroutines that have not begun."""
    for value in values:
        if isinstance(value, CoroutineType):
            value.close()


async def together(work: Sequence[Any]) -> list[Any]:
    """All at once; none is left running. When one fails the others come to their end: a DataLoader whose waiting keys
    are all cancelled never loads again, and the reference executor needs it.
    """
    found = await asyncio.gather(*work, return_exceptions=True)
    for one in found:
        if isinstance(one, asyncio.CancelledError):
            raise Unplanned("something that was waited for was cancelled")
        if isinstance(one, BaseException):
            raise one
    return found
