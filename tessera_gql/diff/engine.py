"""Entry points: check a schema, and compare two schemas."""

from collections.abc import Generator
from contextlib import contextmanager

from tessera_gql.diff.budget import MAX_SECONDS, Budget
from tessera_gql.diff.changes import Change, Mode, SchemaDiff
from tessera_gql.diff.compare.declared_paths import compare_declarations
from tessera_gql.diff.compare.walk import walk
from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.messages import format_sentence
from tessera_gql.diff.prove.assessment import Assessment, assess
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.documents import Document, read, read_guarded
from tessera_gql.diff.read.guard import Identities, guard, identity
from tessera_gql.diff.read.schema import NodeCache
from tessera_gql.diff.report.evidence import EVIDENCE_FUEL, EvidenceCollector, Side
from tessera_gql.diff.report.reference_validator import ReferenceValidator

MIN_FUEL = 3_000
FUEL_PER_CONTAINER = 1
"""Fuel for each list and object of both schemas. A table of 10,000 changed columns takes a third of it."""
CONTAINERS_PER_SECOND = 50_000
"""Lists and objects for which the clock of a comparison grants one more second."""
CONTAINERS_READ_PER_UNIT = 8
"""Lists and objects that are read in the time of one unit of fuel."""


def check(schema: object) -> None:
    """Raise `SchemaError` unless the schema is valid and within the limits of size and references."""
    read(schema, Identities())


def compare(old: object, new: object, budget: Budget | None = None) -> SchemaDiff:
    """Compare two schemas and return all differences. Raises `SchemaError` for an invalid document.

    The changes, their evidence and their hints share the budget. What it does not suffice for stays undecided or
    unproven.
    """
    collector = _assess(old, new, budget)
    if collector is None:
        return SchemaDiff(())
    assessments = enumerate(collector.assessments)
    return SchemaDiff(tuple(_to_change(assessment, index, collector) for index, assessment in assessments))


def follow_hints(old: object, new: object, mode: Mode, budget: Budget | None = None) -> object:
    """Return the new schema with all hints followed that avoid a break in a mode; None without such a hint.

    The hints are verified one by one, not together: compare the result to learn whether it breaks.
    """
    collector = _assess(old, new, budget)
    return None if collector is None else collector.follow_hints(mode)


def _assess(old: object, new: object, budget: Budget | None) -> EvidenceCollector | None:
    """Find the differences of two schemas and decide which of them break; None if the schemas are the same."""
    identities = Identities()
    left, right = _read_both(old, new, identities)
    if identity(left.raw, left.identity_numbers) == identity(right.raw, right.identity_numbers):
        return None
    containers = len(left.identity_numbers) + len(right.identity_numbers)
    fuel = MIN_FUEL + FUEL_PER_CONTAINER * containers
    budget = budget or Budget(fuel + EVIDENCE_FUEL, MAX_SECONDS + containers / CONTAINERS_PER_SECOND)
    cache, solver = NodeCache(left, right, budget=budget), Solver(budget)
    before, after = cache.root(left), cache.root(right)
    with budget.allot(fuel):
        declarations = compare_declarations(before, after)
        assessments = assess(solver, walk(before, after), declarations)
    budget.spend(containers // CONTAINERS_READ_PER_UNIT)
    assessments.sort(key=lambda item: (item.difference.pointer, item.difference.kind.value, item.path))
    old_side, new_side = (Side(root, ReferenceValidator(root)) for root in (before, after))
    return EvidenceCollector(assessments, old_side, new_side, cache, solver, identities, compare)


def _read_both(old: object, new: object, identities: Identities) -> tuple[Document, Document]:
    """Read both documents. Both are guarded first, because the draft of one may be inferred from the other."""
    with _errors_on_side("old"):
        old_numbers = guard(old, identities)
    with _errors_on_side("new"):
        new_numbers = guard(new, identities)
    with _errors_on_side("old"):
        left = read_guarded(old, old_numbers, identities, new)
    with _errors_on_side("new"):
        return left, read_guarded(new, new_numbers, identities, old)


@contextmanager
def _errors_on_side(side: str) -> Generator[None]:
    """Add the side, old or new, to schema errors."""
    try:
        yield
    except SchemaError as error:
        raise error.with_side(side) from None


def _to_change(assessment: Assessment, index: int, collector: EvidenceCollector) -> Change:
    difference, path = assessment.difference, assessment.path
    return Change(
        kind=difference.kind,
        pointer=difference.pointer,
        path=path,
        fields=assessment.fields,
        before=difference.before,
        after=difference.after,
        digest=difference.digest,
        breaks=assessment.breaks,
        message=format_sentence(path, assessment.route, difference),
        evidence=lambda: collector.evidence[index],
    )
