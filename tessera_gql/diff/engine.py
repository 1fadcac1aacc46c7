"""Comparing two documents. Checks come first, so whatever gets past them has an answer."""

from collections.abc import Generator
from contextlib import contextmanager

from tessera_gql.diff.changes import Change, SchemaDiff
from tessera_gql.diff.confirm import Judge
from tessera_gql.diff.documents import Document, read, read_guarded
from tessera_gql.diff.guard import Identities, guard, identity
from tessera_gql.diff.judge import Judged, judge
from tessera_gql.diff.paths import spelled_out, states
from tessera_gql.diff.proof import Proofs, Side
from tessera_gql.diff.refusals import SchemaError
from tessera_gql.diff.schema import Space
from tessera_gql.diff.solve import Solver
from tessera_gql.diff.walk import walk

LEAST_FUEL = 2_000


def check(schema: object) -> None:
    """Raises `SchemaError` unless the schema can be judged: its size, its shape, its references."""
    read(schema, Identities())


def compare(old: object, new: object) -> SchemaDiff:
    """Every difference between two schemas. Raises `SchemaError` for a document that cannot be judged."""
    identities = Identities()
    left, right = _read(old, new, identities)
    if _is_same(left, right):
        return SchemaDiff(())
    space = Space()
    before, after = space.root(left), space.root(right)
    solver = Solver(LEAST_FUEL + 4 * (len(left.numbers) + len(right.numbers)))
    declared = states(before, after)
    unshared = spelled_out(before, after) if left.uses or right.uses else declared
    judged = judge(solver, walk(before, after), declared, unshared)
    judged.sort(key=lambda each: (each.draft.pointer, each.draft.kind.value, each.path))
    proofs = Proofs(judged, Side(before, Judge(before)), Side(after, Judge(after)), space, solver, identities, compare)
    return SchemaDiff(tuple(_change(each, index, proofs) for index, each in enumerate(judged)))


def _read(old: object, new: object, identities: Identities) -> tuple[Document, Document]:
    """Both are guarded before either is looked at: each may tell the draft of the other."""
    with _named("old"):
        numbers = guard(old, identities)
    with _named("new"):
        others = guard(new, identities)
    with _named("old"):
        left = read_guarded(old, numbers, identities, new)
    with _named("new"):
        return left, read_guarded(new, others, identities, old)


@contextmanager
def _named(side: str) -> Generator[None]:
    """Refusals tell which side it was."""
    try:
        yield
    except SchemaError as error:
        raise error.on(side) from None


def _is_same(left: Document, right: Document) -> bool:
    return identity(left.raw, left.numbers) == identity(right.raw, right.numbers)


def _change(judged: Judged, index: int, proofs: Proofs) -> Change:
    draft, path = judged.draft, judged.path
    return Change(
        kind=draft.kind,
        pointer=draft.pointer,
        path=path,
        fields=judged.fields,
        before=draft.before,
        after=draft.after,
        breaks=judged.breaks,
        message=f"{path or 'The document'}: {draft.message}.",
        evidence=lambda: proofs.evidence[index],
    )
