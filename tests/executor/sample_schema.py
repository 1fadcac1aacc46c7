"""A schema with every kind of result: failures, nulls in non-null positions, nested lists, permissions.

What happens is decided by the number of the thing, so that both executors meet the same.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Annotated, Any, Optional, Union

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension, SyncExtensionResolver
from strawberry.permission import BasePermission

from tessera_gql.executor import BATCH_KEY, Batch, BoundBatch

Info = strawberry.Info[Any, None]


@strawberry.enum
class Mood(Enum):
    GOOD = "good"
    BAD = strawberry.enum_value("bad", name="AWFUL")
    ODD = ("odd", 1)


@strawberry.enum
class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class TroubleError(Exception):
    pass


class Admins(BasePermission):
    message = "Admins only."

    def has_permission(self, _source: Any, info: Info, **_: Any) -> bool:  # type: ignore[override]
        return bool(info.context["admin"])


class AdminsLater(BasePermission):
    message = "Admins only, as was found out later."

    async def has_permission(self, _source: Any, info: Info, **_: Any) -> bool:  # type: ignore[override]
        return bool(info.context["admin"])


class Loud(FieldExtension):
    def resolve(self, next_: SyncExtensionResolver, source: Any, info: Info, **kwargs: Any) -> Any:
        return str(next_(source, info, **kwargs)).upper()


class LoudLater(FieldExtension):
    async def resolve_async(self, next_: AsyncExtensionResolver, source: Any, info: Info, **kwargs: Any) -> Any:
        return str(await next_(source, info, **kwargs)).upper()


def failing(number: int, every: int, value: Any) -> Any:
    """Return the value, raise TroubleError, or return None, depending on the number."""
    if number % (3 * every) == every - 1:
        raise TroubleError(f"trouble with {number}")
    return None if number % (3 * every) == every - 2 else value


@strawberry.interface
class Named:
    number: int

    @strawberry.field
    def name(self) -> str:
        return f"n{self.number}"

    @strawberry.field
    async def twin(self) -> Optional["Named"]:
        return named_thing(self.number + 1)


@strawberry.input
class Wish:
    start: int = 0
    mood: Mood | None = None
    deep: list["Wish"] | None = None


def boss(info: Info, step: int = 1) -> BoundBatch:
    return BoundBatch(
        lambda person: None if person.number == 4 else (person.number + step) % 7,
        info.context["people"].load_many,
        lambda _, number: Person(number=number),
    )


def report(info: Info) -> BoundBatch:
    return BoundBatch(
        lambda person: None if person.number % 11 == 9 else person.number,
        info.context["reports"].load_many,
        lambda _, number: None if number == 6 else Person(number=number),
    )


BOSS, REPORT = Batch(boss), Batch(report)


@strawberry.type
class Person(Named):
    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(self.number))

    @strawberry.field
    def mood(self) -> Mood:
        return [*Mood][self.number % 3]

    @strawberry.field
    def size(self) -> Size | None:
        return failing(self.number, 9, Size(1 + self.number % 2))

    @strawberry.field
    def born(self) -> datetime:
        return datetime(2000, 1, 1 + self.number % 28, tzinfo=UTC)

    @strawberry.field
    def weight(self) -> float:
        return failing(self.number, 40, float("inf") if self.number == 17 else self.number / 4)

    @strawberry.field
    def large(self) -> int | None:
        return 2**31 if self.number == 7 else self.number

    @strawberry.field
    def shaky(self) -> int:
        return failing(self.number, 13, self.number)

    @strawberry.field
    async def shaky_later(self, plus: int = 1) -> int | None:
        return failing(self.number, 6, self.number + plus)

    @strawberry.field(graphql_type=str)
    def awaitable(self) -> Any:
        async def later() -> str:
            return str(failing(self.number, 12, f"p{self.number}"))

        return later()

    @strawberry.field
    def numbers(self) -> list[int | None] | None:
        return failing(self.number, 8, [self.number, None, 3])

    @strawberry.field
    def strict_numbers(self) -> list[int] | None:
        return [1, None] if self.number == 17 else [1, 2]  # type: ignore[list-item]

    @strawberry.field
    def matrix(self) -> list[list[int | None]]:
        return [[self.number], [], [None, 1]]

    @strawberry.field
    def grid(self) -> list[list[Optional["Thing"]] | None]:
        return [[thing(self.number), None], None, [], [thing(self.number + 1)]]

    @strawberry.field
    def pets(self) -> list[Optional["Thing"]]:
        return [thing(self.number + index) if index else None for index in range(self.number % 4)]

    @strawberry.field
    async def strict_pets(self) -> list["Thing"] | None:
        return [thing(index) for index in range(self.number % 3)] + ([None] if self.number == 5 else [])  # type: ignore[list-item]

    @strawberry.field
    def endless(self) -> list["Person"]:
        def generate() -> Iterator[Person]:
            yield Person(number=self.number)

        return generate()  # type: ignore[return-value]

    @strawberry.field
    def late_items(self) -> list[int]:
        async def load() -> int:
            return self.number

        return [load(), 2] if self.number == 12 else [1, 2]  # type: ignore[list-item]

    @strawberry.field
    def returned_error(self) -> str | None:
        return TroubleError("returned") if self.number == 8 else "fine"  # type: ignore[return-value]

    @strawberry.field
    def path(self, info: Info) -> str:
        return ".".join(map(str, info.path.as_list())) if self.number % 16 == 5 else info.field_name

    @strawberry.field
    def selected(self, info: Info) -> list[str]:
        return [selected_field.name for selected_field in info.selected_fields]  # type: ignore[union-attr]

    @strawberry.field(permission_classes=[Admins])
    def secret(self) -> str | None:
        return f"secret {self.number}"

    @strawberry.field(permission_classes=[AdminsLater])
    async def secret_later(self) -> str:
        return f"secret later {self.number}"

    plain_secret: str | None = strawberry.field(permission_classes=[Admins], default="plain secret")

    @strawberry.field(permission_classes=[Admins])
    def secret_friend(self) -> Optional["Person"]:
        return Person(number=self.number + 1)

    @strawberry.field(permission_classes=[Admins], metadata={BATCH_KEY: BOSS})
    async def guarded_boss(self, info: Info) -> Optional["Person"]:
        return await BOSS.resolve(self, info)

    @strawberry.field(extensions=[Loud()])
    def loud(self, word: str = "hey") -> str:
        return word

    @strawberry.field(extensions=[LoudLater()])
    async def loud_later(self) -> str:
        return failing(self.number, 15, "later")

    @strawberry.field(metadata={BATCH_KEY: BOSS})
    async def boss(self, info: Info, step: int = 1) -> Optional["Person"]:
        return await BOSS.resolve(self, info, step=step)

    @strawberry.field(metadata={BATCH_KEY: REPORT})
    async def report(self, info: Info) -> "Person":
        return await REPORT.resolve(self, info)

    @strawberry.field
    def parented(self, parent: strawberry.Parent[Any], wish: Wish | None = None) -> str:
        return f"{parent.number} {wish}"


@strawberry.type
class Dog(Named):
    barks: bool = True
    tag: str | None = None
    weird: str = "w"

    @strawberry.field
    def owner(self) -> Person | None:
        return failing(self.number, 6, Person(number=self.number))

    @classmethod
    def is_type_of(cls, value: object, _info: Any) -> bool:
        return isinstance(value, Dog) and value.number != 12


@strawberry.type
class Stone:
    heavy: int

    @strawberry.field
    def near(self) -> list["Thing"]:
        return [thing(place) for place in (1, 2)]


Thing = Annotated[Union[Person, Dog, Stone], strawberry.union("Thing")]  # noqa: UP007 - strawberry's own way


def thing(number: int) -> Any:
    match number % 4:
        case 0:
            return Dog(number=number, tag=Mood.GOOD if number == 8 else None, weird=5 if number == 16 else "w")  # type: ignore[arg-type]
        case 1:
            return Stone(heavy=number)
        case 2 if number == 22:
            return object()
        case _:
            return Person(number=number)


def named_thing(number: int) -> Any:
    """An object of the interface Named, except for the number 21."""
    return thing(number) if number == 21 or number % 4 == 0 else Person(number=number)


@strawberry.type
class Query:
    @strawberry.field
    def plain(self) -> str:
        return "plain"

    @strawberry.field
    def people(self, count: int = 3, start: int = 0) -> list[Person] | None:
        return [Person(number=start + index) for index in range(failing(count, 9, count) or 0)]

    @strawberry.field
    async def person(self, number: int, wish: Wish | None = None) -> Person | None:
        return failing(number, 14, Person(number=number + (wish.start if wish else 0)))

    @strawberry.field
    def must(self, number: int) -> Person:
        return failing(number, 14, Person(number=number))

    @strawberry.field
    def things(self, start: int = 0) -> list[Thing | None] | None:
        return [thing(start + index) for index in range(3)]

    @strawberry.field
    async def by_numbers(self, numbers: list[int]) -> list[Named | None]:
        return [named_thing(number) for number in numbers]

    @strawberry.field(permission_classes=[AdminsLater])
    def vault(self) -> list[Person] | None:
        return [Person(number=1)]


schema = strawberry.Schema(query=Query, types=[Person, Dog, Stone])


def context(*, admin: bool) -> dict[str, Any]:
    async def people(numbers: list[int]) -> list[Any]:
        return [TroubleError(f"no {number}") if number == 5 else number for number in numbers]

    async def reports(numbers: list[int]) -> list[int]:
        if 13 in numbers:
            raise TroubleError("no reports")
        return [number % 8 for number in numbers]

    return {"admin": admin, "people": DataLoader(people), "reports": DataLoader(reports)}
