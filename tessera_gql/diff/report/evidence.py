"""Search for documents that demonstrate a break. They are reported only if `jsonschema` confirms them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from tessera_gql.diff.changes import Certainty, ChangeEvidence, ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.differences import (
    ItemStep,
    OtherPropertyStep,
    PropertyNameStep,
    PropertyStep,
    Route,
    Rule,
    SameValueStep,
)
from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.keywords.record import RawSchema
from tessera_gql.diff.keywords.registry import KEYWORDS_BY_NAME
from tessera_gql.diff.prove.assessment import CONTAINMENTS, Assessment, find_counterexample, order_sides
from tessera_gql.diff.prove.constraints import Literal, Witness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.dialects import DRAFT_2020
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache, Schema, count_schemas
from tessera_gql.diff.read.view import View
from tessera_gql.diff.report.hints import MAX_SCHEMAS, Hint, apply_together, are_columns_separable, find_hint
from tessera_gql.diff.report.reference_validator import ReferenceValidator
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.regular_languages import Language, find_example

K = ChangeKind
FUEL = 2_000
"""Fuel of the search for one document."""
DOCUMENT_FUEL = 6_000
"""Fuel of the searches for the documents of all changes."""
HINT_FUEL = 1_500
"""Fuel of all comparisons that verify hints."""
EVIDENCE_FUEL = DOCUMENT_FUEL + HINT_FUEL
MAX_TRIES = 200
MAX_SCHEMA_TRIES = 60_000
MAX_EVIDENCE_SIZE = 200_000
MAX_HINTS = 20
MAX_DOCUMENT = 20_000
DEFAULTS = (K.DEFAULT_ADDED, K.DEFAULT_CHANGED, K.DEFAULT_REMOVED)


class Side(NamedTuple):
    """One schema of a comparison with its validator."""

    root: Schema
    validator: ReferenceValidator


@dataclass
class EvidenceCollector:
    """Evidence for all changes of one comparison, collected on first use within the budget that the comparison left."""

    assessments: Sequence[Assessment]
    old: Side
    new: Side
    cache: NodeCache
    solver: Solver
    identities: Identities
    compare: Callable[..., SchemaDiff]

    @cached_property
    def evidence(self) -> tuple[ChangeEvidence, ...]:
        budget = self.solver.budget
        with budget.allot(DOCUMENT_FUEL):
            evidences = self._find_documents()
        with budget.allot(HINT_FUEL):
            hints = self._find_hints()
        for index, hint in hints.items():
            evidences[index] = evidences[index]._replace(hint=hint.edit.sentence, hint_modes=hint.modes)
        return tuple(evidences)

    def follow_hints(self, mode: Mode) -> object:
        """Return the new schema with the edits of all hints that avoid a break in a mode; None without such a hint."""
        with self.solver.budget.allot(HINT_FUEL):
            edits = [hint.edit for hint in self._find_hints().values() if mode in hint.modes]
        return apply_together(edits, self.new.root.raw) if edits else None

    def _find_documents(self) -> list[ChangeEvidence]:
        """Search for a counterexample of each breaking change, as far as the limits allow."""
        schemas = count_schemas(self.old.root, self.new.root)
        tries_left, size_left = max(3, min(MAX_TRIES, MAX_SCHEMA_TRIES // schemas)), MAX_EVIDENCE_SIZE
        evidences: list[ChangeEvidence] = []
        for assessment in self.assessments:
            evidence = ChangeEvidence()
            if assessment.breaks and tries_left and size_left > 0 and not self.solver.budget.is_spent:
                tries_left -= 1
                evidence = self._find_evidence(assessment)
                size_left -= len(canonical_json(evidence.document))
            evidences.append(evidence)
        return evidences

    def _find_hints(self) -> dict[int, Hint]:
        """Return the hints of the first changes, by their position."""
        is_separable = all(are_columns_separable(side.root.raw) for side in (self.old, self.new))
        if not is_separable and count_schemas(self.old.root, self.new.root) > MAX_SCHEMAS:
            return {}
        return {
            index: hint
            for index, assessment in enumerate(self.assessments[:MAX_HINTS])
            if assessment.breaks
            and not self.solver.budget.is_spent
            and (hint := self._find_hint(assessment, is_separable=is_separable)) is not None
        }

    def _find_hint(self, assessment: Assessment, *, is_separable: bool) -> Hint | None:
        compare = partial(self.compare, budget=self.solver.budget)
        schemas = self.old.root.raw, self.new.root.raw
        try:
            return find_hint(assessment, self.assessments, *schemas, compare, is_separable=is_separable)
        except SchemaError:  # the restored part refers to a removed definition
            return None

    def _find_evidence(self, assessment: Assessment) -> ChangeEvidence:
        """Find a document for the first mode that breaks: BACKWARD, FORWARD or CONSUMER.

        A document for FORWARD that shows CONSUMER too is preferred.
        """
        mode = next((mode for mode in CONTAINMENTS if mode in assessment.breaks), Mode.FORWARD)
        accepting, refusing = order_sides(self.old, self.new, mode)
        shows_consumer = mode is Mode.FORWARD and Mode.CONSUMER in assessment.breaks
        evidence = ChangeEvidence()
        for demand, must_refuse, is_produced in self._list_required_schemas(assessment, mode):
            witness = self._find_document(accepting, demand, is_produced=is_produced)
            if witness is None or accepting.validator.accepts(witness.value) is not True:
                continue
            if len(canonical_json(witness.value)) > MAX_DOCUMENT:
                continue
            if not must_refuse or self._is_refused(refusing, witness.value, mode):
                evidence = ChangeEvidence(Certainty.PROVEN, witness.value)
                if not must_refuse or not shows_consumer or self._is_refused(refusing, witness.value, Mode.CONSUMER):
                    break
        return evidence

    def _is_refused(self, side: Side, value: Json, mode: Mode) -> bool:
        """Return whether a side refuses a document, or for CONSUMER what the old schema names of it."""
        if mode is Mode.CONSUMER:
            return self.solver.projections.is_refused([self.old.root], value, side.validator.accepts)
        return side.validator.accepts(value) is False

    def _find_document(self, side: Side, demand: RawSchema, *, is_produced: bool) -> Witness | None:
        try:
            document = read({"$schema": DRAFT_2020.uri, **demand}, self.identities)
        except SchemaError:  # the demand contains parts of the schemas and may exceed the limits
            return None
        root = Literal(side.root, holds=True, is_produced=is_produced)
        with self.solver.budget.allot(FUEL):
            result = self.solver.find([root, Literal(self.cache.root(document), holds=True)])
        return result if isinstance(result, Witness) else None

    def _list_required_schemas(self, assessment: Assessment, mode: Mode) -> Iterator[tuple[RawSchema, bool, bool]]:
        """Yield demands on the document, whether the other side must refuse it, and whether a producer writes it."""
        difference, route = assessment.difference, assessment.route
        is_produced = difference.rule is not Rule.OPEN
        if mode in difference.directions and assessment.pair is not None:
            accepting, refusing = order_sides(assessment.pair.old, assessment.pair.new, mode)
            negated = _negate_keyword(difference.pointer.rpartition("/")[2], difference.name, refusing)
            if difference.kind in (K.PROPERTY_ADDED, K.PROPERTY_REMOVED, K.PROPERTY_RENAMED):
                negated = _negate_keyword("required", difference.name, refusing)
            if negated is not None:
                yield require_at(route, negated), True, is_produced
            projections = self.solver.projections
            projection = projections.project(refusing.nodes) if mode is Mode.CONSUMER else None
            result = find_counterexample(
                self.solver, accepting, refusing, is_produced=is_produced, projection=projection
            )
            if isinstance(result, Witness):
                yield require_at(route, {"const": result.value}), True, is_produced
        if difference.kind in DEFAULTS:
            yield from _demand_absence(route)
        elif difference.evidence_schemas:
            yield from ((require_at(route, schema), False, True) for schema in difference.evidence_schemas)
        elif mode in difference.always and difference.name is not None:
            is_old_name = difference.kind is K.PROPERTY_RENAMED and mode is Mode.BACKWARD
            name = difference.before if is_old_name else difference.name
            yield require_at(route, {"type": "object", "required": [name]}), False, True


def _demand_absence(route: Route) -> Iterator[tuple[RawSchema, bool, bool]]:
    if route and isinstance(route[-1], PropertyStep):
        yield require_at(route[:-1], {"type": "object", "not": {"required": [route[-1].name]}}), False, True


def require_at(route: Route, demand: RawSchema) -> RawSchema:
    """Build a schema for documents with a value at the route that satisfies the demand."""
    for step in reversed(route):
        match step:
            case PropertyStep(name):
                demand = {"type": "object", "required": [name], "properties": {name: demand}}
            case ItemStep(index):
                free: list[Json] = [{}] * index
                demand = {"type": "array", "minItems": index + 1, "prefixItems": [*free, demand]}
            case OtherPropertyStep(pattern):
                example = "other" if pattern is None else find_example(Language(frozenset({pattern})))
                name = example if isinstance(example, str) else "other"
                demand = {"type": "object", "required": [name], "properties": {name: demand}}
            case PropertyNameStep():
                demand = {"type": "object", "not": {"propertyNames": {"not": demand}}}
            case SameValueStep():
                pass
    return demand


def _negate_keyword(keyword: str, name: str | None, view: View) -> RawSchema | None:
    """Build a schema for the values that a keyword of the view excludes, or None."""
    record = KEYWORDS_BY_NAME.get(keyword)
    schema = None if record is None or record.write is None else record.write(view, name)
    return None if schema is None else {"not": schema}
