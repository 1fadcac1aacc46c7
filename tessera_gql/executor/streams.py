"""Positions of subscriptions as values: the start goes to the resolver, a source event may have a `position`."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The start of a subscription, which its resolver gets as the root value."""

    after: int | None = None
    """Position to start after; overrides the argument of the subscription."""
    on_caught_up: Callable[[int], bool] = lambda _position: False
    """Called after each backlog with the position up to which all events were yielded; True ends the stream there."""
