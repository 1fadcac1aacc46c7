"""The message model: what every message to a team says, as data that a channel only renders.

Each message has the same parts in the same order: who asks or what happened, what of the team's breaks and through
which path, the reason, until when and what silence means, the answers there are, and one link or command. Texts are
plain: a channel escapes them, and cuts them at its limits.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote
from uuid import UUID

from tessera_gql.policy.global_ids import encode_global_id

MAX_SUBJECTS = 100
"""Subjects that a message lists; of more, it has the number."""
MAX_DETAILS = 8
"""Lines of one subject."""


class Tone(StrEnum):
    """How a message is marked: it asks for an answer, something is good, something is bad, or neither."""

    ASK = "ASK"
    GOOD = "GOOD"
    BAD = "BAD"
    NEUTRAL = "NEUTRAL"


@dataclass(frozen=True)
class Subject:
    """One thing that a message is about, such as a table, with a line for each change of it."""

    name: str
    details: tuple[str, ...] = ()
    detail_count: int = 0
    """The number of lines there are, of which `details` has the first ones."""

    @property
    def hidden_details(self) -> int:
        return max(0, self.detail_count - len(self.details))


@dataclass(frozen=True)
class MessageAnswer:
    """An answer that the team may give, with the command that gives it."""

    label: str
    command: str


@dataclass(frozen=True)
class MessageLink:
    """A link of a message to a page."""

    label: str
    url: str


@dataclass(frozen=True)
class TeamMessage:
    """A message to a team. `subject_count` is the number of subjects, of which `subjects` has the first ones.

    `thread` is the same for all messages about one change set or proposal; None begins no thread. Without `link` the
    reader uses `command`. `team_link` is the page of the team that is addressed.
    """

    tone: Tone
    title: str
    summary: str
    subjects: tuple[Subject, ...] = ()
    subject_count: int = 0
    noun: str = "table"
    reason: str | None = None
    deadline: str | None = None
    answers: tuple[MessageAnswer, ...] = ()
    link: MessageLink | None = None
    command: str | None = None
    source: MessageLink | None = None
    team_link: str | None = None
    thread: str | None = None

    @property
    def hidden_subjects(self) -> int:
        return max(0, self.subject_count - len(self.subjects))


@dataclass(frozen=True)
class Pages:
    """The addresses of the console's pages below PUBLIC_URL; without it there are none."""

    public_url: str | None = None

    def link(self, label: str, *segments: str) -> MessageLink | None:
        """Link a page by the segments of its path; None without an address of the server."""
        if self.public_url is None:
            return None
        path = "/".join(quote(segment, safe="") for segment in segments)
        return MessageLink(label, f"{self.public_url}/{path}")

    def change_set(self, change_set_id: UUID) -> MessageLink | None:
        return self.link("Open the change set", "change-sets", encode_global_id("ChangeSet", change_set_id))

    def proposal(self, proposal_id: UUID) -> MessageLink | None:
        return self.link("Open the proposal", "proposals", encode_global_id("Proposal", proposal_id))

    def asset(self, fqn: str) -> MessageLink | None:
        return self.link(f"Open {fqn}" if len(fqn) <= 60 else "Open the asset", "assets", fqn)

    def team(self, team_id: UUID) -> MessageLink | None:
        return self.link("Open the team", "teams", encode_global_id("Team", team_id))

    def inbox(self) -> MessageLink | None:
        return self.link("Open the inbox", "")

    def audit(self) -> MessageLink | None:
        return self.link("Open the event log", "audit")


def trim_details(name: str, lines: list[str]) -> Subject:
    """Build a subject with the first of its lines and the number of all."""
    distinct = [*dict.fromkeys(line for line in lines if line)]
    return Subject(name, tuple(distinct[:MAX_DETAILS]), len(distinct))
