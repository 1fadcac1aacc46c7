"""What the naive model of asks consists of: columns, changes, readers, questions and answers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tessera_gql.policy.enums import DebtKind, OnSilence, ProposalStatus, ReleaseKind, Response

Atom = tuple[str, str, str, str]
"""A breaking change: its kind, the path, and what was there before and is after."""
Read = tuple[Atom, str]
"""A change and the path by which a team reads what it changes."""
Schema = dict[str, str]
"""The types of columns by path, and perhaps the mode. `s` is an object if there is an `s.x` or `s.y`."""
Debt = tuple[DebtKind, str, str, str | Atom]
"""Kind, team, asset, and the path or the change."""
Event = tuple[str, ...]

MODE = "@mode"
"""The key under which a schema holds its compatibility mode, if it says one."""
MODES = ("NONE", "BACKWARD", "FULL")
"""The modes, the weakest first."""
RETIRED: Schema = {"@retired": ""}
"""The terms of a retirement, which breaks every reader."""
RETIREMENT: frozenset[Atom] = frozenset({("retired", "", "", "")})
YEAR = timedelta(days=366)
STRICTNESS = {Response.BLOCKED: 2, Response.MIGRATING: 1, Response.APPROVED: 0}


class RefusedError(Exception):
    """The rules forbid the command."""


@dataclass(frozen=True)
class Policy:
    """What an ask gives: days to answer, reminders, escalation, and the meaning of silence."""

    due_days: int = 30
    remind: frozenset[int] = frozenset({3, 1})
    escalate: int | None = None
    on_silence: OnSilence = OnSilence.EXPIRE

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.due_days)

    def end_after(self, due: datetime) -> datetime:
        """Until when a proposal stays open for an answer that is due then: a week longer if silence blocks it."""
        return due + timedelta(days=7) if self.on_silence is OnSilence.BLOCK else due


@dataclass
class Ask:
    """The question to one team; `reads` None is everything. Reminders are due after `checked_at`."""

    team: str
    atoms: frozenset[Atom]
    reads: frozenset[Read] | None
    policy: Policy
    due_at: datetime
    checked_at: datetime
    escalate_at: datetime | None
    response: Response | None = None
    deadline: datetime | None = None
    answered_at: datetime | None = None
    escalated_to: str | None = None
    is_reopened: bool = False
    is_limited: bool = False
    is_own: bool = False
    is_overdue: bool = False
    is_released: bool = False
    evidence: ReleaseKind | None = None

    @property
    def waits(self) -> bool:
        return self.response is None and not self.is_released

    @property
    def waits_for_expiry(self) -> bool:
        return self.waits and self.policy.on_silence is OnSilence.EXPIRE

    def agrees(self) -> bool:
        silent = self.response is Response.SILENT and self.policy.on_silence is OnSilence.APPROVE
        return self.response is Response.APPROVED or silent

    def blocks(self) -> bool:
        silent = self.response is Response.SILENT and self.policy.on_silence is OnSilence.BLOCK
        return self.response is Response.BLOCKED or silent


@dataclass
class Proposal:
    """A breaking change that waits, or has waited, for answers."""

    asset: str
    schema: Schema
    base: int
    atoms: frozenset[Atom]
    proposer: str
    opened_at: datetime
    expires_at: datetime
    is_automatic: bool
    is_explicit: bool
    change_set: str | None
    status: ProposalStatus = ProposalStatus.PENDING
    asks: dict[str, Ask] = field(default_factory=dict[str, Ask])

    @property
    def counting(self) -> list[Ask]:
        return [ask for ask in self.asks.values() if not ask.is_released]


@dataclass(frozen=True)
class Answer:
    """What a team last said to a change of an asset; it outlives the proposal."""

    response: Response
    deadline: datetime | None
    reads: frozenset[str] | None
    at: datetime
    is_own: bool


@dataclass
class Registration:
    """A reader: its fields, None for everything."""

    asset: str
    team: str
    via: str | None
    fields: frozenset[str] | None


def columns_of(schema: Schema) -> Schema:
    """The columns of a schema without its mode."""
    return {path: kind for path, kind in schema.items() if path != MODE}


def mode_of(schema: Schema) -> str:
    return schema.get(MODE, "BACKWARD")


def declared(schema: Schema) -> frozenset[str]:
    return frozenset(columns_of(schema)) | {path.split(".")[0] for path in columns_of(schema)}


def differences(old: Schema, new: Schema) -> frozenset[Atom]:
    """All changes: columns that go or come, types that change, and a mode that promises less."""
    former, present = columns_of(old), columns_of(new)
    changed = {("changed", path, former[path], present[path]) for path in former if path in present}
    mode, next_mode = mode_of(old), new.get(MODE, mode_of(old))
    weaker = {("mode", "", mode, next_mode)} if MODES.index(next_mode) < MODES.index(mode) else set[Atom]()
    return frozenset(
        [
            *(("removed", path, shape, "") for path, shape in find_missing(former, present)),
            *(("added", path, "", shape) for path, shape in find_missing(present, former)),
            *(atom for atom in changed if atom[2] != atom[3]),
            *weaker,
        ]
    )


def find_missing(old: Schema, new: Schema) -> list[tuple[str, str]]:
    """The outermost columns that another schema does not have, with what they are made of."""
    missing = declared(old) - declared(new)
    shapes = {path: str(sorted((leaf, kind) for leaf, kind in old.items() if meets(path, leaf))) for path in missing}
    return [(path, shapes[path]) for path in missing if path.split(".")[0] not in missing - {path}]


def breaks(old: Schema, new: Schema) -> frozenset[Atom]:
    """The changes that the mode of the old schema forbids: FULL forbids new columns as well, and NONE nothing."""
    forbidden = {"NONE": set[str](), "BACKWARD": {"removed", "changed", "mode"}}.get(mode_of(old))
    return frozenset(atom for atom in differences(old, new) if forbidden is None or atom[0] in forbidden)


def meets(path: str, other: str) -> bool:
    """Whether one path is the other, or lies in it."""
    return path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")
