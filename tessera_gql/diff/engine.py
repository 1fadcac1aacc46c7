"""Comparing: the structural walk lists what changed. Not proven means breaking."""

from collections.abc import Iterator
from typing import cast

from tessera_gql.diff.changes import Change, ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.guard import guard
from tessera_gql.diff.json import Json, canonical, pointer, same
from tessera_gql.diff.refusals import SchemaError

B, F, U = Mode.BACKWARD, Mode.FORWARD, Mode.FULL
K = ChangeKind
ANNOTATIONS = ("title", "description", "examples", "$comment")


def check(schema: object) -> None:
    """Raises `SchemaError` unless the schema can be judged."""
    guard(schema)
    if not isinstance(schema, dict | bool):
        raise SchemaError("a schema is a JSON object or a boolean.")


def compare(old: object, new: object) -> SchemaDiff:
    """Every difference between two schemas. Raises `SchemaError` for a document that cannot be judged."""
    for side, schema in (("old", old), ("new", new)):
        try:
            check(schema)
        except SchemaError as error:
            raise error.on(side) from None
    found = _walk(cast("Json", old), cast("Json", new), ())
    return SchemaDiff(tuple(sorted(found, key=lambda change: (change.pointer, change.kind.value))))


def _walk(old: Json, new: Json, at: tuple[str, ...]) -> Iterator[Change]:
    if same(old, new):
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield _change(K.COMPOSITION_CHANGED, at, old, new, B, F, U)
        return
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if key == "properties" and isinstance(before, dict) and isinstance(after, dict):
            yield from _properties(before, after, at)
        elif key == "items" and isinstance(before, dict) and isinstance(after, dict):
            yield from _walk(before, after, (*at, "items"))
        elif key == "required":
            yield from _required(before, after, at)
        elif not same(before, after):
            yield _keyword(key, before, after, at)


def _properties(old: dict[str, Json], new: dict[str, Json], at: tuple[str, ...]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        here = (*at, "properties", name)
        if name not in new:
            yield _change(K.PROPERTY_REMOVED, here, None, None, B, U)
        elif name not in old:
            yield _change(K.PROPERTY_ADDED, here, None, None, F, U)
        else:
            yield from _walk(old[name], new[name], here)


def _required(old: Json, new: Json, at: tuple[str, ...]) -> Iterator[Change]:
    before, after = (
        {str(name) for name in side} if isinstance(side, list) else set[str]() for side in (old, new)
    )
    for name in sorted(after - before):
        yield _change(K.REQUIRED_ADDED, (*at, "properties", name), False, True, B, U)
    for name in sorted(before - after):
        yield _change(K.REQUIRED_REMOVED, (*at, "properties", name), True, False, F, U)


def _keyword(key: str, old: Json, new: Json, at: tuple[str, ...]) -> Change:
    here = (*at, key)
    if key in ANNOTATIONS or key.startswith("x-"):
        return _change(K.ANNOTATION_CHANGED, here, None, None)
    if key == "deprecated":
        return _change(K.DEPRECATED_CHANGED, here, old, new)
    if key == "default":
        if new is None:
            return _change(K.DEFAULT_REMOVED, here, old, new, B, U)
        return _change(
            K.DEFAULT_ADDED if old is None else K.DEFAULT_CHANGED,
            here,
            old,
            new,
            *((F, U) if old is None else (U,)),
        )
    if key in ("type", "enum"):
        before, after = (
            {canonical(v) for v in (side if isinstance(side, list) else [side])} for side in (old, new)
        )
        if before < after:
            return _change(K.TYPE_WIDENED if key == "type" else K.ENUM_VALUES_ADDED, here, old, new, F, U)
        if after < before:
            return _change(K.TYPE_NARROWED if key == "type" else K.ENUM_VALUES_REMOVED, here, old, new, B, U)
        return _change(K.TYPE_CHANGED if key == "type" else K.ENUM_VALUES_REMOVED, here, old, new, B, F, U)
    if isinstance(old, int | float) and isinstance(new, int | float) and key.startswith(("min", "max")):
        tighter = new > old if key.startswith("min") else new < old
        return _change(
            K.CONSTRAINT_TIGHTENED if tighter else K.CONSTRAINT_RELAXED,
            here,
            old,
            new,
            B if tighter else F,
            U,
        )
    return _change(K.CONSTRAINT_CHANGED, here, None, None, B, F, U)


def _change(kind: ChangeKind, at: tuple[str, ...], before: Json, after: Json, *breaks: Mode) -> Change:
    names = [
        token if at[i - 1] == "properties" else "[]"
        for i, token in enumerate(at)
        if i and at[i - 1] == "properties" or token == "items"
    ]
    path = ".".join(names).replace(".[]", "[]")
    words = kind.value.replace("_", " ").lower()
    return Change(
        kind=kind,
        pointer=pointer(*at),
        path=path,
        fields=(path.removesuffix("[]"),),
        before=before,
        after=after,
        breaks=frozenset(breaks),
        message=f"{path or 'The document'}: {words}.",
    )
