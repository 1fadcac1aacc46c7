"""The start of a subscription's stream, passed from the server to the resolver, and the positions of its events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The start of a subscription, which its resolver gets as the root value."""

    after: int | None = None
    """Position to start after; overrides the argument of the subscription."""
    on_caught_up: Callable[[int], bool] = lambda _position: False
    """Called with the position up to which all events were yielded, whenever no more wait; True ends the stream."""


@runtime_checkable
class PositionedEvent(Protocol):
    """An event that a subscription yields together with its position in the event log."""

    @property
    def position(self) -> int: ...
