"""Positions of subscriptions as values: the start goes to the resolver, and each source event brings its position."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The start of a subscription, which its resolver gets as the root value."""

    after: int | None = None
    """Position to start after; overrides the argument of the subscription."""
    on_caught_up: Callable[[int], bool] = lambda _position: False
    """Called after each backlog with the position up to which all events were yielded; True ends the stream there."""


def position_of(source_event: object) -> int | None:
    """Return the position that a source event has as an attribute; None for a stream without positions."""
    return getattr(source_event, "position", None)
