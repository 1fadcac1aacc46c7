"""Semantic versions (semver.org 2.0): precedence, and the next version after a change."""

import re
from dataclasses import dataclass
from functools import total_ordering

from tessera_gql.diff import Bump
from tessera_gql.errors import Invalid

VERSION_PATTERN = re.compile(
    r"(?P<major>0|[1-9]\d{0,8})\.(?P<minor>0|[1-9]\d{0,8})\.(?P<patch>0|[1-9]\d{0,8})"
    r"(?:-(?P<pre>(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
MAX_LENGTH = 100
MAX_REQUESTED_NUMBER = 99_999_999  # one digit fewer than VERSION_PATTERN allows, so that each version has a successor
FIRST_VERSION = "1.0.0"


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A semantic version, ordered by precedence: build metadata does not count."""

    core: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def __str__(self) -> str:
        core = ".".join(map(str, self.core))
        return f"{core}-{'.'.join(self.pre)}" if self.pre else core

    @property
    def _order(self) -> tuple[object, ...]:
        # A release comes after its pre-releases; numbers come before text and compare as numbers.
        identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre)
        return (self.core, not self.pre, identifiers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._order == other._order

    def __hash__(self) -> int:
        return hash(self._order)

    def __lt__(self, other: "Version") -> bool:
        return self._order < other._order


def parse_version(text: str) -> Version:
    """Parse a semantic version; raises Invalid."""
    match = VERSION_PATTERN.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if not match:
        raise Invalid(
            f"{text[:MAX_LENGTH]!r} is not a semantic version. Write MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1.",
            field=("version",),
        )
    core = (int(match["major"]), int(match["minor"]), int(match["patch"]))
    return Version(core, tuple((match["pre"] or "").split(".")) if match["pre"] else ())


def next_release(current: Version, bump: Bump) -> Version:
    """The lowest release that is at least `bump` higher; after a pre-release, its own release if that is enough."""
    major, minor, patch = current.core
    lower_numbers = {Bump.MAJOR: (minor, patch), Bump.MINOR: (patch,)}.get(bump, ())
    if current.pre and not any(lower_numbers):
        return Version(current.core)
    match bump:
        case Bump.MAJOR:
            return Version((major + 1, 0, 0))
        case Bump.MINOR:
            return Version((major, minor + 1, 0))
        case _:
            return Version((major, minor, patch + 1))


def choose_version(requested_version: str | None, current: str | None, bump: Bump) -> str:
    """Choose the version to publish under; raises Invalid with a suggestion when the given version is too low."""
    parsed = None if requested_version is None else parse_version(requested_version)
    if parsed is not None and max(parsed.core) > MAX_REQUESTED_NUMBER:
        raise Invalid(
            f"The numbers of a version go up to {MAX_REQUESTED_NUMBER:,}. Use a lower one.", field=("version",)
        )
    if current is None:
        return requested_version or FIRST_VERSION
    lowest = next_release(parse_version(current), bump)
    if requested_version is None or parsed is None:
        return str(lowest)
    if parsed <= parse_version(current):
        raise Invalid(
            f"Version {requested_version} does not come after the current {current}."
            f" Use {lowest}, or leave the version out.",
            field=("version",),
        )
    if parsed.core < lowest.core:
        raise Invalid(
            f"Version {requested_version} promises less than this {bump.lower()} change over {current} does."
            f" Use {lowest} or higher, or leave the version out.",
            field=("version",),
        )
    return requested_version
