"""Execute a plan level by level, resolving a field for all objects of a level at once. Any error is raised."""

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
from graphql.pyutils import is_awaitable
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from tessera_gql.executor.batch import BoundBatch
from tessera_gql.executor.fields import (
    AttributeRead,
    BatchLoad,
    ResolveInfo,
    StrawberryField,
    are_literals,
    create_caller,
    create_strawberry_info,
    to_python_arguments,
)
from tessera_gql.executor.leaves import UnplannedValue, require_list
from tessera_gql.executor.plan import Plan, Selection, Step, TypeShape
from tessera_gql.executor.pushdown import Pushdown
from tessera_gql.executor.variables import CoercedVariables

MAX_AWAITED = 2_000
"""Maximum number of values of a field that are awaited concurrently."""
MAX_CHUNK = 500
"""Maximum number of objects built without yielding to the event loop."""
CHUNK_SECONDS = 0.002
"""CPU time after which the execution yields to the event loop."""


class UnavailableInfo:
    """Stand-in for attributes of `info` that differ between parents, since all parents share one `info`."""

    def __getattr__(self, name: str) -> Any:
        raise UnplannedValue(f"`info` was asked for a path or its helpers ({name})")


@dataclass
class PlanExecution:
    """One execution of a plan."""

    plan: Plan
    context: Any
    variables: CoercedVariables
    on_cpu_seconds: Callable[[float], None] = lambda _seconds: None
    """Called with seconds of CPU time as they are used."""
    _busy_seconds: float = 0.0
    """CPU time since the execution last yielded to the event loop."""
    _has_failed: bool = False
    """Whether a step has failed, which stops concurrent steps."""

    async def execute(self) -> dict[str, Any]:
        """Execute the plan and return the `data` of the reply."""
        (root,) = await self.execute_level(self.plan.root, [None])
        return root

    async def execute_level(self, selection: Selection, parents: Sequence[Any]) -> list[dict[str, Any]]:
        """Execute a selection and return an object for each parent."""
        objects = await self._build_objects(selection, parents)
        concurrent: list[Coroutine[Any, Any, None]] = []
        try:
            for step in selection.steps:
                if step.may_await:
                    concurrent.append(self._execute_step(step, parents, objects))
                else:
                    await self._execute_step(step, parents, objects)
        except BaseException:
            for coroutine in concurrent:
                coroutine.close()
            raise
        if len(concurrent) == 1:
            await concurrent[0]
        elif concurrent:
            await await_all(concurrent)
        return objects

    async def _build_objects(self, selection: Selection, parents: Sequence[Any]) -> list[dict[str, Any]]:
        """Build the objects of a level in chunks of a few milliseconds, since an object may have megabytes of JSON.

        Only one long reply builds a chunk at a time, so that a short reply waits for one chunk at most.
        """
        objects: list[dict[str, Any]] = []
        chunk_size = 1
        while len(objects) < len(parents):
            chunk = parents[len(objects) : len(objects) + chunk_size]
            if self._busy_seconds < CHUNK_SECONDS:
                seconds = self._build_chunk(selection, chunk, objects)
            else:
                async with _chunk_lock():
                    await asyncio.sleep(0)
                    self._busy_seconds = 0.0
                    seconds = self._build_chunk(selection, chunk, objects)
            chunk_size = min(MAX_CHUNK, int(chunk_size * CHUNK_SECONDS / max(seconds, CHUNK_SECONDS / MAX_CHUNK)) or 1)
        return objects

    def _build_chunk(self, selection: Selection, parents: Sequence[Any], objects: list[dict[str, Any]]) -> float:
        """Append the objects of some parents and return the seconds used."""
        started = time.perf_counter()
        objects += selection.build(parents)
        seconds = time.perf_counter() - started
        self._busy_seconds += seconds
        self.on_cpu_seconds(seconds)
        return seconds

    async def _execute_step(self, step: Step, parents: Sequence[Any], built: list[dict[str, Any]]) -> None:
        if self._has_failed:
            raise UnplannedValue("something else has failed")
        try:
            values = await self._resolve_values(step, parents)
        except BaseException:
            self._has_failed = True
            raise
        key = step.key
        for target, value in zip(built, values, strict=True):
            target[key] = value

    async def _resolve_values(self, step: Step, parents: Sequence[Any]) -> list[Any]:
        match step.source:
            case AttributeRead(name=name):
                return await self._complete(step, step.shape, list(map(attrgetter(name), parents)))
            case BatchLoad():
                return await self._load_batch(step, parents)
            case source:
                call = create_caller(source, step.definition, self._create_info(step))
                return await self._complete(step, step.shape, call_for_parents(call, parents))

    async def _load_batch(self, step: Step, parents: Sequence[Any]) -> list[Any]:
        bound = self._bind_batch(step) if step.pushdown is None else self._bind_pushdown(step.pushdown)
        keys = list(map(bound.key, parents))
        distinct = dict.fromkeys(keys)
        if None in distinct:
            if not step.shape.nullable:
                raise UnplannedValue("null where none may be")
            del distinct[None]
        loaded_keys = [*distinct]
        rows = await bound.load_many(loaded_keys) if loaded_keys else []
        values = list(map(bound.to_value, loaded_keys, rows))
        if step.pushdown is None:
            completed = await self._complete(step, step.shape, values)
        elif None in values and not step.shape.nullable:
            raise UnplannedValue("null where none may be")
        else:
            completed = values
        if len(completed) == len(keys):
            return completed
        return list(map(dict(zip(loaded_keys, completed, strict=True)).get, keys))

    def _bind_batch(self, step: Step) -> BoundBatch:
        source, info = cast("BatchLoad", step.source), self._create_info(step)
        strawberry_info = create_strawberry_info(source.declared, info)
        # The schema declares `bind`: `relation`, `root_by_id` and `root_by_ref`, and `connection`.
        arguments = self._find_arguments(step)
        if arguments is None:
            arguments = self._convert_arguments(step, source.declared, info, strawberry_info)
        return source.batch.bind(strawberry_info, **arguments)

    def _bind_pushdown(self, pushdown: Pushdown) -> BoundBatch:
        return pushdown.bind(self.context, [self._pushed_arguments(step) for step in pushdown.steps])

    def _pushed_arguments(self, step: Step) -> dict[str, Any]:
        if (arguments := self._find_arguments(step)) is not None:
            return arguments
        declared, info = cast("BatchLoad", step.source).declared, self._create_info(step)
        return self._convert_arguments(step, declared, info, create_strawberry_info(declared, info))

    def _find_arguments(self, step: Step) -> dict[str, Any] | None:
        """Return the arguments of a step if they were converted before: literals, or those of equal variables."""
        return self.variables.arguments.get(step) if step.fixed_arguments is None else step.fixed_arguments

    def _convert_arguments(
        self, step: Step, declared: StrawberryField, info: ResolveInfo, strawberry_info: Any
    ) -> dict[str, Any]:
        arguments = to_python_arguments(declared, step.definition, info, strawberry_info)
        if are_literals(step.field_nodes[0], arguments.values()):
            step.fixed_arguments = arguments
        else:
            self.variables.arguments[step] = arguments
        return arguments

    async def _complete(self, step: Step, shape: TypeShape, values: list[Any]) -> list[Any]:
        values = await await_values(values)
        present = [value for value in values if value is not None]
        if len(present) < len(values) and not shape.nullable:
            raise UnplannedValue("null where none may be")
        if not present:
            return values
        if shape.item is not None:
            completed = await self._complete_lists(step, shape.item, present)
        elif step.complete is not None:
            completed = list(map(step.complete, present))
        else:
            completed = await self._complete_objects(step, present)
        if len(present) == len(values):
            return completed
        remaining = iter(completed)
        return [None if value is None else next(remaining) for value in values]

    async def _complete_lists(self, step: Step, shape: TypeShape, values: list[Any]) -> list[Any]:
        lists = [list(require_list(value)) for value in values]
        completed = await self._complete(step, shape, list(chain.from_iterable(lists)))
        if len(lists) == 1:
            return [completed]
        remaining = iter(completed)
        return [[next(remaining) for _ in items_of_value] for items_of_value in lists]

    async def _complete_objects(self, step: Step, values: list[Any]) -> list[Any]:
        """Complete objects, which may be of several types behind an interface or union."""
        if step.abstract_type is None:
            return await self._execute_selection(step, step.named_type, values)
        types = [self._resolve_type(step, value) for value in values]
        if len(distinct := dict.fromkeys(types)) == 1:
            return await self._execute_selection(step, types[0], values)
        completions = [
            self._execute_selection(
                step, type_, [value for value, actual in zip(values, types, strict=True) if actual is type_]
            )
            for type_ in distinct
        ]
        completed = dict(zip(distinct, map(iter, await await_all(completions)), strict=True))
        return [next(completed[type_]) for type_ in types]

    def _resolve_type(self, step: Step, value: Any) -> GraphQLObjectType:
        abstract = cast("Any", step.abstract_type)
        name = (abstract.resolve_type or default_type_resolver)(value, self._create_info(step), abstract)
        object_type = self.plan.schema.get_type(name) if isinstance(name, str) else None
        if not isinstance(object_type, GraphQLObjectType) or not self.plan.schema.is_sub_type(abstract, object_type):
            raise UnplannedValue(f"{name!r} as the type of {type(value).__name__}")
        return object_type

    async def _execute_selection(self, step: Step, object_type: GraphQLObjectType, values: list[Any]) -> list[Any]:
        selection = step.selection_for(object_type)
        if object_type.is_type_of is not None and not _are_exactly(selection.origin, values):
            info = self._create_info(step)
            if not all(object_type.is_type_of(value, info) is True for value in values):
                raise UnplannedValue(f"a value that is no {object_type.name}")
        return await self.execute_level(selection, values)

    def _create_info(self, step: Step) -> ResolveInfo:
        plan, unknown = self.plan, cast("Any", UnavailableInfo())
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
            self.variables.values,
            self.context,
            is_awaitable,
            None,
            unknown,
        )


_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _chunk_lock() -> asyncio.Lock:
    """Return the event loop's lock for building a chunk of a long reply."""
    return _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _are_exactly(origin: type | None, values: list[Any]) -> bool:
    """Return whether all values are instances of exactly this class and none was cast to another type."""
    return set(map(type, values)) == {origin} and not any(map(hasattr, values, repeat(TYPE_CAST_ATTRIBUTE)))


def call_for_parents(call: Callable[[Any], Any], parents: Sequence[Any]) -> list[Any]:
    """Call a resolver for each parent. If a call raises, the coroutines of earlier calls are closed."""
    values: list[Any] = []
    try:
        for parent in parents:
            values.append(call(parent))  # noqa: PERF401 - the list so far must be closed if a call raises
    except BaseException:
        close_coroutines(values)
        raise
    return values


async def await_values(values: list[Any]) -> list[Any]:
    """Await the awaitable values and return all values. An exception as a value is refused."""
    kinds = set(map(type, values))
    if not any(_needs_handling(kind) for kind in kinds):
        return values
    if any(issubclass(kind, Exception) or kind is type(Undefined) for kind in kinds):
        close_coroutines(values)
        raise UnplannedValue("an exception as a value")
    if len(values) == 1:
        return await await_values([await values[0]])
    awaitable = [index for index, value in enumerate(values) if inspect.isawaitable(value)]
    results = list(values)
    for start in range(0, len(awaitable), MAX_AWAITED):
        batch = awaitable[start : start + MAX_AWAITED]
        try:
            awaited = await await_all([values[index] for index in batch])
        except BaseException:
            close_coroutines([values[index] for index in awaitable[start + MAX_AWAITED :]])
            raise
        for index, value in zip(batch, awaited, strict=True):
            results[index] = value
    return await await_values(results)


def _needs_handling(kind: type) -> bool:
    return hasattr(kind, "__await__") or issubclass(kind, Exception) or kind is type(Undefined)


def close_coroutines(values: Sequence[Any]) -> None:
    """Close coroutines that have not started, so that Python does not warn about them."""
    for value in values:
        if isinstance(value, CoroutineType):
            value.close()


async def await_all(awaitables: Sequence[Any]) -> list[Any]:
    """Await all concurrently. If one fails, the others still run to their end before the error is raised.

    A DataLoader whose waiting keys are all cancelled never loads again, and the reference executor needs it.
    """
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, asyncio.CancelledError):
            raise UnplannedValue("something that was waited for was cancelled")
        if isinstance(result, BaseException):
            raise result
    return results
