"""How much one caller may ask for in a while: a bucket that refills steadily, so there is no best moment to rush in.

A bucket is one number, the moment at which it is full again. Each process counts for itself.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLError, OperationType, SelectionSetNode

from tessera_gql.graphql.documents import Operation
from tessera_gql.graphql.limits import fragments_of

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
MANY_BUCKETS = 10_000


@dataclass(frozen=True)
class Rate:
    """So many at once, and as many again in so many seconds."""

    amount: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> "Rate":
        """As settings write it: `600/minute`."""
        found = re.fullmatch(r"(\d+)/(\w+)", text)
        if found is None or found[2] not in SECONDS:
            raise ValueError(f"{text!r} is no rate. Write a number per second, minute, hour or day: 600/minute.")
        return cls(int(found[1]), SECONDS[found[2]])


@dataclass
class Bucket:
    """What everybody may take of one thing; who has not been here for a while is forgotten, and has a full bucket."""

    name: str
    rate: Rate
    clock: Callable[[], float]
    full_at: dict[str, float] = field(default_factory=dict[str, float])
    many: int = MANY_BUCKETS
    """With more of them than this, full ones are looked for and dropped."""

    def take(self, account: str, amount: int) -> dict[str, Any]:
        """Takes it and tells what is left; raises the coded GraphQLError RATE_LIMITED and takes nothing."""
        now, each = self.clock(), self.rate.seconds / self.rate.amount
        full_at = max(self.full_at.get(account, 0.0), now) + amount * each
        if (wait := full_at - now - self.rate.seconds) > 1e-6:
            raise self._refusal(amount, wait)
        self.full_at[account] = full_at
        if len(self.full_at) > self.many:
            self.full_at = {one: at for one, at in self.full_at.items() if at > now}
            self.many = max(MANY_BUCKETS, 2 * len(self.full_at))
        remaining = int((self.rate.seconds - (full_at - now)) / each + 1e-6)
        return {"limit": self.rate.amount, "remaining": remaining, "fullInSeconds": math.ceil(full_at - now)}

    def _refusal(self, amount: int, wait: float) -> GraphQLError:
        rate = f"{self.rate.amount:,} in {self.rate.seconds:,} seconds"
        told: dict[str, Any] = {"code": "RATE_LIMITED", "limit": self.name, "allowed": self.rate.amount}
        if amount > self.rate.amount:
            message = (
                f"This asks for {amount:,} of {self.name} at once; {rate} is all that a key may have. Ask for less."
            )
            return GraphQLError(message, extensions=told)
        after = math.ceil(wait)
        message = f"This key has used up its {self.name}: {rate}. Come back in {after} seconds, or ask for less."
        return GraphQLError(message, extensions=told | {"retryAfter": after})


class Budget:
    """Buckets for mutations and for the estimated cost of answers; None leaves one out."""

    def __init__(
        self, mutations: Rate | None, cost: Rate | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mutations = Bucket("mutations", mutations, clock) if mutations else None
        self._cost = Bucket("cost", cost, clock) if cost else None

    def charge(self, account: str, operation: Operation) -> dict[str, Any]:
        """What to say in the reply's `extensions`."""
        told: dict[str, Any] = {}
        if self._cost is not None:
            told["cost"] = self._cost.take(account, max(1, operation.cost))
        if self._mutations is not None and operation.kind is OperationType.MUTATION:
            told["mutations"] = self._mutations.take(account, _fields(operation))
        return {"rateLimit": told} if told else {}


def _fields(operation: Operation) -> int:
    """How many mutations an operation calls; each fragment is counted once, however often it is spread."""
    fragments = fragments_of(operation.document)
    counted: dict[str, int] = {}

    def count(selections: SelectionSetNode) -> int:
        total = 0
        for one in selections.selections:
            match one:
                case FieldNode():
                    total += 1
                case FragmentSpreadNode():
                    name = one.name.value
                    if name not in counted:
                        counted[name] = count(fragments[name].selection_set)
                    total += counted[name]
                case _:
                    total += count(one.selection_set)  # type: ignore[attr-defined] # an inline fragment
        return total

    return count(operation.node.selection_set)
