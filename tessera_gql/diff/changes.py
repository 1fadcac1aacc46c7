"""The result of a comparison: a list of `Change` records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, cast

from tessera_gql.diff.values.json import Json, compute_digest

FINGERPRINT_VERSION = 2
"""Raised when the same difference gets another fingerprint, so that stored ones are recognized as older."""


class Mode(StrEnum):
    """The compatibility mode: which of two versions must accept the data of the other.

    CONSUMER: who reads the fields of the old version by name keeps working. At every object, the old version must
    accept what it names of the documents of the new one, and none of its fields disappears.
    """

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    CONSUMER = "CONSUMER"
    NONE = "NONE"


class ChangeKind(StrEnum):
    """The kind of a change. Those of guarantees, mode and asset are for callers that compare more than schemas."""

    PROPERTY_ADDED = "PROPERTY_ADDED"
    PROPERTY_REMOVED = "PROPERTY_REMOVED"
    PROPERTY_RENAMED = "PROPERTY_RENAMED"
    TYPE_CHANGED = "TYPE_CHANGED"
    TYPE_WIDENED = "TYPE_WIDENED"
    TYPE_NARROWED = "TYPE_NARROWED"
    REQUIRED_ADDED = "REQUIRED_ADDED"
    REQUIRED_REMOVED = "REQUIRED_REMOVED"
    ENUM_VALUES_ADDED = "ENUM_VALUES_ADDED"
    ENUM_VALUES_REMOVED = "ENUM_VALUES_REMOVED"
    CONSTRAINT_TIGHTENED = "CONSTRAINT_TIGHTENED"
    CONSTRAINT_RELAXED = "CONSTRAINT_RELAXED"
    CONSTRAINT_CHANGED = "CONSTRAINT_CHANGED"
    DEFAULT_ADDED = "DEFAULT_ADDED"
    DEFAULT_REMOVED = "DEFAULT_REMOVED"
    DEFAULT_CHANGED = "DEFAULT_CHANGED"
    NULLABLE_ADDED = "NULLABLE_ADDED"
    NULLABLE_REMOVED = "NULLABLE_REMOVED"
    COMPOSITION_CHANGED = "COMPOSITION_CHANGED"
    FORMAT_CHANGED = "FORMAT_CHANGED"
    DEPRECATED_CHANGED = "DEPRECATED_CHANGED"
    ANNOTATION_CHANGED = "ANNOTATION_CHANGED"
    UNRESOLVED_REF = "UNRESOLVED_REF"
    UNDECIDED = "UNDECIDED"
    GUARANTEE_WEAKENED = "GUARANTEE_WEAKENED"
    GUARANTEE_STRENGTHENED = "GUARANTEE_STRENGTHENED"
    GUARANTEE_CHANGED = "GUARANTEE_CHANGED"
    MODE_WEAKENED = "MODE_WEAKENED"
    ASSET_RETIRED = "ASSET_RETIRED"


class Certainty(StrEnum):
    """Whether a breaking change is backed by a counterexample. UNPROVEN: compatibility could not be proven."""

    PROVEN = "PROVEN"
    UNPROVEN = "UNPROVEN"


class Bump(StrEnum):
    """The part of the version that a change raises."""

    NONE = "NONE"
    PATCH = "PATCH"
    MINOR = "MINOR"
    MAJOR = "MAJOR"

    @property
    def rank(self) -> int:
        return tuple(Bump).index(self)


class ChangeEvidence(NamedTuple):
    """Certainty, counterexample and hint of a change.

    `document` is meaningful only when `certainty` is PROVEN, because it may be JSON null. `hint_modes` are the modes in
    which the hint was verified not to break.
    """

    certainty: Certainty = Certainty.UNPROVEN
    document: Json = None
    hint: str | None = None
    hint_modes: frozenset[Mode] = frozenset()


ADDITIVE = frozenset(
    {
        ChangeKind.PROPERTY_ADDED,
        ChangeKind.PROPERTY_REMOVED,
        ChangeKind.TYPE_WIDENED,
        ChangeKind.TYPE_NARROWED,
        ChangeKind.REQUIRED_ADDED,
        ChangeKind.REQUIRED_REMOVED,
        ChangeKind.ENUM_VALUES_ADDED,
        ChangeKind.ENUM_VALUES_REMOVED,
        ChangeKind.CONSTRAINT_TIGHTENED,
        ChangeKind.CONSTRAINT_RELAXED,
        ChangeKind.DEFAULT_ADDED,
        ChangeKind.NULLABLE_ADDED,
        ChangeKind.NULLABLE_REMOVED,
        ChangeKind.COMPOSITION_CHANGED,
        ChangeKind.GUARANTEE_STRENGTHENED,
    }
)


@dataclass(frozen=True)
class Change:
    """One difference between two schemas.

    `pointer` leads into the new schema, or into the old one for removed parts. `fields` are the declared paths it
    belongs to; `("",)` is the root and concerns every consumer. `breaks` are the modes in which it is breaking.
    Evidence is computed on first use, for all changes together; until then the schemas must not be modified.
    """

    kind: ChangeKind
    pointer: str
    path: str
    fields: tuple[str, ...]
    before: Json
    after: Json
    breaks: frozenset[Mode]
    message: str
    evidence: Callable[[], ChangeEvidence] = field(default=ChangeEvidence, compare=False, repr=False)
    stored_fingerprint: str | None = field(default=None, compare=False, repr=False)
    """The fingerprint that a stored change was recorded with, which an earlier version may have computed."""
    digest: str | None = field(default=None, compare=False, repr=False)
    """A hash of what changes, where `before` and `after` don't hold all of it. A part of the fingerprint."""

    @property
    def certainty(self) -> Certainty:
        return self.evidence().certainty

    @property
    def counterexample(self) -> Json:
        """A document that demonstrates the break, present exactly when `certainty` is PROVEN.

        For a change of the accepted values, one schema accepts it and the other rejects it: old and new for BACKWARD,
        new and old for FORWARD. For CONSUMER alone, the new schema accepts it, and the old one rejects what is left of
        it when every object is reduced to the names that the old schema mentions there. For a field that one schema
        declares, that schema accepts it and it contains the field. For a default, it is an accepted document without
        the field; for a physical type, one with a value, which the smaller of two types can't hold if it is a number
        or a text.
        """
        return self.evidence().document

    @property
    def hint(self) -> str | None:
        """An alternative edit of the new schema that was verified not to break in `hint_modes`."""
        return self.evidence().hint

    @property
    def hint_modes(self) -> frozenset[Mode]:
        return self.evidence().hint_modes

    def hint_for(self, mode: Mode) -> str | None:
        """Return the hint if it avoids the break in a mode."""
        return self.hint if mode in self.hint_modes else None

    @property
    def fingerprint(self) -> str:
        """The version of its making and a hash of what changes, where, and for which fields.

        It depends on neither the run nor the order of keys, and a change between other schemas has the same one.
        """
        return self._computed_fingerprint if self.stored_fingerprint is None else self.stored_fingerprint

    @cached_property
    def _computed_fingerprint(self) -> str:
        content = [self.before, self.after, self.digest]
        parts = [self.kind.value, self.pointer, self.path, sorted(self.fields), *content]
        return f"{FINGERPRINT_VERSION}:{compute_digest(parts)[:16]}"

    def as_json(self) -> dict[str, Json]:
        evidence = self.evidence()
        record: dict[str, Json] = {
            "kind": self.kind.value,
            "pointer": self.pointer,
            "path": self.path,
            "fields": [*self.fields],
            "before": self.before,
            "after": self.after,
            "breaks": [*sorted(mode.value for mode in self.breaks)],
            "certainty": evidence.certainty.value,
            "message": self.message,
            "hint": evidence.hint,
            "hint_modes": [*sorted(mode.value for mode in evidence.hint_modes)],
            "fingerprint": self.fingerprint,
        }
        if evidence.certainty is Certainty.PROVEN:
            record["counterexample"] = evidence.document
        return record

    def __reduce__(self) -> tuple[Callable[[dict[str, Json]], "Change"], tuple[dict[str, Json]]]:
        """Pickle the change together with its evidence."""
        return Change.from_json, (self.as_json(),)

    @classmethod
    def from_json(cls, record: Mapping[str, object]) -> "Change":
        evidence = ChangeEvidence(
            Certainty(cast("str", record["certainty"])),
            cast("Json", record.get("counterexample")),
            cast("str | None", record.get("hint")),
            frozenset(Mode(mode) for mode in cast("list[str]", record.get("hint_modes", []))),
        )
        return cls(
            kind=ChangeKind(cast("str", record["kind"])),
            pointer=cast("str", record["pointer"]),
            path=cast("str", record["path"]),
            fields=tuple(cast("list[str]", record["fields"])),
            before=cast("Json", record["before"]),
            after=cast("Json", record["after"]),
            breaks=frozenset(Mode(mode) for mode in cast("list[str]", record["breaks"])),
            message=cast("str", record["message"]),
            evidence=lambda: evidence,
            stored_fingerprint=cast("str", record["fingerprint"]),
        )


@dataclass(frozen=True)
class SchemaDiff:
    """All differences between two schemas, ordered by pointer, then kind."""

    changes: tuple[Change, ...]

    def breaking_changes(self, mode: Mode) -> tuple[Change, ...]:
        """Return the changes that break in a mode. Raises ValueError for what is no mode."""
        mode = Mode(mode)
        return tuple(change for change in self.changes if mode in change.breaks)

    def is_compatible(self, mode: Mode) -> bool:
        return not self.breaking_changes(mode)

    def bump(self, mode: Mode) -> Bump:
        """The smallest version bump: MAJOR if a change breaks in the mode, MINOR for additions, else PATCH.

        Nothing breaks under NONE, but its versions still say what changed: they rise as under BACKWARD or CONSUMER.
        """
        modes = {Mode.BACKWARD, Mode.CONSUMER} if Mode(mode) is Mode.NONE else {Mode(mode)}
        if any(modes & change.breaks for change in self.changes):
            return Bump.MAJOR
        if any(change.kind in ADDITIVE for change in self.changes):
            return Bump.MINOR
        return Bump.PATCH if self.changes else Bump.NONE
