"""Rate limits per account for mutations and query cost, as token buckets.

A bucket is stored as one number, the time at which it is full again. Each process counts separately.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLError, OperationType

from tessera_gql.server.complexity import collect_fragments
from tessera_gql.server.documents import Operation

UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
SWEEP_THRESHOLD = 10_000


@dataclass(frozen=True)
class Rate:
    """The capacity of a token bucket and the seconds in which it refills."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Parse a rate as it is written in settings, such as `600/minute`."""
        match = re.fullmatch(r"(\d+)/(\w+)", text)
        if match is None or match[2] not in UNIT_SECONDS:
            raise ValueError(f"{text!r} is no rate. Write a number per second, minute, hour or day: 600/minute.")
        return cls(int(match[1]), UNIT_SECONDS[match[2]])


@dataclass
class TokenBuckets:
    """Token buckets of all accounts for one resource. Full buckets are dropped from memory."""

    name: str
    rate: Rate
    clock: Callable[[], float]
    full_at: dict[str, float] = field(default_factory=dict[str, float])
    sweep_threshold: int = SWEEP_THRESHOLD
    """Number of buckets above which full ones are dropped."""

    def take(self, account: str, amount: int) -> dict[str, Any]:
        """Take tokens and return the state of the bucket.

        Raises the coded GraphQLError RATE_LIMITED, without taking any, if too few are left.
        """
        now, seconds_per_token = self.clock(), self.rate.seconds / self.rate.amount
        full_at = max(self.full_at.get(account, 0.0), now) + amount * seconds_per_token
        if (wait := full_at - now - self.rate.seconds) > 1e-6:
            raise self._rate_limit_error(amount, wait)
        self.full_at[account] = full_at
        if len(self.full_at) > self.sweep_threshold:
            self.full_at = {name: at for name, at in self.full_at.items() if at > now}
            self.sweep_threshold = max(SWEEP_THRESHOLD, 2 * len(self.full_at))
        remaining = int((self.rate.seconds - (full_at - now)) / seconds_per_token + 1e-6)
        return {"limit": self.rate.amount, "remaining": remaining, "fullInSeconds": math.ceil(full_at - now)}

    def _rate_limit_error(self, amount: int, wait: float) -> GraphQLError:
        rate = f"{self.rate.amount:,} in {self.rate.seconds:,} seconds"
        extensions: dict[str, Any] = {"code": "RATE_LIMITED", "limit": self.name, "allowed": self.rate.amount}
        if amount > self.rate.amount:
            message = (
                f"This asks for {amount:,} of {self.name} at once; {rate} is all that a key may have. Ask for less."
            )
            return GraphQLError(message, extensions=extensions)
        after = math.ceil(wait)
        message = f"This key has used up its {self.name}: {rate}. Come back in {after} seconds, or ask for less."
        return GraphQLError(message, extensions=extensions | {"retryAfter": after})


class RateLimiter:
    """Limits the mutations and the query cost of each account. A rate of None disables that limit."""

    def __init__(
        self, mutations: Rate | None, cost: Rate | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mutations = TokenBuckets("mutations", mutations, clock) if mutations else None
        self._cost = TokenBuckets("cost", cost, clock) if cost else None

    def charge(self, account: str, operation: Operation) -> dict[str, Any]:
        """Charge an operation to an account and return the `extensions` of the reply."""
        states: dict[str, Any] = {}
        if self._cost is not None:
            states["cost"] = self._cost.take(account, max(1, operation.cost))
        if self._mutations is not None and operation.kind is OperationType.MUTATION:
            states["mutations"] = self._mutations.take(account, _count_root_fields(operation))
        return {"rateLimit": states} if states else {}


def _count_root_fields(operation: Operation) -> int:
    """Count the mutation fields of an operation. Each fragment is traversed once, however often it is spread."""
    fragments = collect_fragments(operation.document)
    fragment_counts: dict[str, int] = {}

    def count(node: Any) -> int:
        if isinstance(node, FieldNode):
            return 1
        if not isinstance(node, FragmentSpreadNode):  # an operation, a fragment or an inline fragment
            return sum(map(count, node.selection_set.selections))
        name = node.name.value
        if name not in fragment_counts:
            fragment_counts[name] = count(fragments[name])
        return fragment_counts[name]

    return count(operation.node)
