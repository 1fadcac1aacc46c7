"""Decisions about debts: what a publish leaves undone for the teams that read an asset.

A registered field that a contract removed (REMOVED_FIELD) concerns its reader again only if exactly that field comes
back. For a field that no contract ever had (UNKNOWN_FIELD), its reader counts as a reader of every field, since nobody
knows which ones it means. A team that a forced publish did not ask (FORCED) counts as a reader of the fields that the
publish changed until it answers, whether it is registered or not.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from tessera_gql.diff import Change, list_fields
from tessera_gql.policy.affected_teams import FieldReader
from tessera_gql.policy.enums import DebtKind, Evidence

PATH_KINDS = (DebtKind.REMOVED_FIELD, DebtKind.UNKNOWN_FIELD)
"""Kinds of debts of a registered path, which end with the registration of the path."""


class RegisteredFields(Protocol):
    """The columns of a registration that decide about its debts."""

    @property
    def asset_id(self) -> UUID: ...
    @property
    def consumer_team_id(self) -> UUID: ...
    @property
    def fields(self) -> Sequence[str] | None: ...
    @property
    def evidence(self) -> Evidence: ...


class PathDebt(Protocol):
    """The columns of the debt of a path."""

    @property
    def asset_id(self) -> UUID: ...
    @property
    def team_id(self) -> UUID: ...
    @property
    def kind(self) -> DebtKind: ...
    @property
    def path(self) -> str: ...


D = TypeVar("D", bound=PathDebt)


@dataclass(frozen=True)
class DebtDraft:
    """A debt before it is stored; `path` is empty for the whole document, the fingerprint unless it is FORCED."""

    team_id: UUID
    kind: DebtKind
    path: str
    message: str
    change_fingerprint: str = ""


@dataclass(frozen=True)
class PublishedPaths:
    """What a new contract means for the registered paths of its asset.

    `undeclared` are those that it does not declare, and `removed` those among them that the contract before declared.
    """

    version: str
    is_first: bool
    undeclared: frozenset[str]
    removed: frozenset[str]


class ForcedDebt(Protocol):
    """The columns of the debt of a forced publish."""

    @property
    def id(self) -> UUID: ...
    @property
    def team_id(self) -> UUID: ...


def to_forced_readers(
    debts: Iterable[ForcedDebt], paths: Mapping[UUID, Iterable[str]], undeclared: Collection[str]
) -> list[FieldReader]:
    """Convert the forced debts of one asset to readers, one for each team, by the changed paths of each debt.

    Of a path that is `undeclared` by now, only a change of exactly that path concerns the team again. A change of the
    whole document names no field: the team is a reader whom only another change of the whole document concerns.
    """
    by_team: dict[UUID, set[str]] = defaultdict(set)
    for debt in debts:
        by_team[debt.team_id].update(path for path in paths[debt.id] if path)
    return [
        FieldReader(
            team,
            tuple(sorted(path for path in names if path not in undeclared)),
            tuple(sorted(path for path in names if path in undeclared)),
        )
        for team, names in by_team.items()
    ]


class OpenPathDebts:
    """The open debts of paths, by which registrations become readers."""

    def __init__(self, debts: Iterable[PathDebt]) -> None:
        self._kinds: dict[tuple[UUID, UUID], dict[str, DebtKind]] = defaultdict(dict)
        for debt in debts:
            self._kinds[debt.asset_id, debt.team_id][debt.path] = debt.kind

    def to_reader(self, registration: RegisteredFields) -> FieldReader:
        """Convert a registration to a reader of what it reads: its fields, without those that were removed."""
        team, fields = registration.consumer_team_id, registration.fields
        kinds = self._kinds.get((registration.asset_id, team))
        if fields is None or not kinds:
            return FieldReader(team, None if fields is None else tuple(fields))
        if any(kinds.get(path) is DebtKind.UNKNOWN_FIELD for path in fields):
            return FieldReader(team, None)
        removed = tuple(path for path in fields if path in kinds)
        return FieldReader(team, tuple(path for path in fields if path not in kinds), removed)

    def has(self, registration: RegisteredFields, path: str) -> bool:
        return path in self._kinds.get((registration.asset_id, registration.consumer_team_id), ())


def find_undeclared(paths: Collection[str], schema: object) -> list[str]:
    """Return the paths that the schema does not declare, as `require_declared_paths` decides."""
    declared = {field.path for field in list_fields(schema)} if paths else set[str]()
    return [path for path in paths if path not in declared]


def find_all_undeclared(schemas_and_paths: Sequence[tuple[object, Sequence[str]]]) -> list[list[str]]:
    """Call `find_undeclared` for several schemas, as one computation."""
    return [find_undeclared(paths, schema) for schema, paths in schemas_and_paths]


def exclude_top_level(paths: Iterable[str], schema: object) -> list[str]:
    """Return the paths that are no plain properties of the schema, without the cost of listing its fields."""
    properties = schema.get("properties") if isinstance(schema, dict) and "$ref" not in schema else None
    names = properties if isinstance(properties, dict) else {}
    return [path for path in paths if not isinstance(names.get(path), dict) or set(path) & set(".[]")]


def draft_path_debts(
    registrations: Iterable[RegisteredFields], paths: PublishedPaths, existing: OpenPathDebts
) -> list[DebtDraft]:
    """Draft the debts of registered paths that a new contract does not declare, once for each team and path.

    Only declared registrations have unknown fields: a manifest reads columns that nobody has described yet.
    """
    drafts: dict[tuple[UUID, str], DebtDraft] = {}
    for row in registrations:
        for path in row.fields or ():
            key = (row.consumer_team_id, path)
            if path not in paths.undeclared or key in drafts or existing.has(row, path):
                continue
            if path in paths.removed:
                message = f"version {paths.version} removed {path}"
                drafts[key] = DebtDraft(row.consumer_team_id, DebtKind.REMOVED_FIELD, path, message)
            elif paths.is_first and row.evidence is Evidence.DECLARED:
                message = f"no version up to {paths.version} has {path}"
                drafts[key] = DebtDraft(row.consumer_team_id, DebtKind.UNKNOWN_FIELD, path, message)
    return [*drafts.values()]


def draft_forced_debts(
    not_asked: Mapping[UUID, Sequence[str]], changes: Iterable[Change], existing: Collection[tuple[UUID, str]]
) -> list[DebtDraft]:
    """Draft a debt for each team and change that a forced publish did not ask it about.

    `existing` has the team and fingerprint of each open one.
    """
    by_fingerprint = {change.fingerprint: change for change in changes}
    return [
        DebtDraft(team, DebtKind.FORCED, change.path, change.message, fingerprint)
        for team, fingerprints in not_asked.items()
        for fingerprint in fingerprints
        if (change := by_fingerprint.get(fingerprint)) and (team, fingerprint) not in existing
    ]


def find_corrected(debts: Iterable[D], registrations: Iterable[RegisteredFields]) -> list[D]:
    """Return the debts of paths that no live registration of their team names any more."""
    registered = {(row.asset_id, row.consumer_team_id, path) for row in registrations for path in row.fields or ()}
    return [debt for debt in debts if (debt.asset_id, debt.team_id, debt.path) not in registered]
