"""Carry the fingerprints of an open proposal over to the present FINGERPRINT_VERSION.

An acknowledgment belongs to changes by their fingerprints. When a version of the diff engine makes them differently,
the terms of the proposal are compared again, and each change replaces the stored one that is the same fact.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tessera_gql.diff import FINGERPRINT_VERSION, Change, SchemaError
from tessera_gql.policy.compatibility import Terms, judge


@dataclass(frozen=True)
class RenewedChanges:
    """The breaking changes of a proposal with present fingerprints, and `renewed`: these by the stored ones."""

    changes: tuple[Change, ...]
    renewed: Mapping[str, tuple[str, ...]]

    def renew(self, fingerprints: Collection[str]) -> list[str]:
        """Return the present fingerprints of the changes with these stored ones."""
        current = {item for fingerprint in fingerprints for item in self.renewed.get(fingerprint, ())}
        return [change.fingerprint for change in self.changes if change.fingerprint in current]

    def covers(self, requests: Iterable[Collection[str]]) -> bool:
        """Return whether every team is still asked about something; each request has the stored fingerprints."""
        return all(self.renew(fingerprints) for fingerprints in requests)


def are_fingerprints_current(stored_changes: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether this version computed the fingerprints of stored changes."""
    return all(change["fingerprint"].startswith(f"{FINGERPRINT_VERSION}:") for change in stored_changes)


def renew_fingerprints(
    base: Terms, proposed: Terms, stored_changes: Sequence[Mapping[str, Any]]
) -> RenewedChanges | None:
    """Compare the terms of a proposal again, and match the breaking changes with the stored ones.

    None if the terms can't be compared, or a change breaks that is not stored: no team was asked about it.
    """
    try:
        breaking = judge(base, proposed).breaking
    except SchemaError:
        return None
    stored: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in stored_changes:
        stored.setdefault((record["kind"], record["pointer"], record["path"]), []).append(record)
    renewed: dict[str, tuple[str, ...]] = {}
    changes: list[Change] = []
    for change in breaking:
        # Between the same terms, these three name the same fact, however a version describes its values.
        matches = stored.get((change.kind.value, change.pointer, change.path))
        if matches is None:
            return None
        # The stored evidence is about the same schemas, and to search for it again could take long.
        changes.append(replace(change, evidence=Change.from_json(matches[0]).evidence))
        for match in matches:
            renewed[match["fingerprint"]] = (*renewed.get(match["fingerprint"], ()), change.fingerprint)
    return RenewedChanges(tuple(changes), renewed)
