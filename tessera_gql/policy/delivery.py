"""Decisions about deliveries: what a webhook gets, when to try again or give up, which addresses may be called."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from uuid import UUID

from tessera_gql.policy.events import WebhookDeliveryFailed

# A failed delivery is never itself delivered: two broken receivers would report each other for ever.
UNTOLD = frozenset({WebhookDeliveryFailed.kind})

# Addresses that carry an IPv4 address inside: the one that is really called is that.
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
# 6to4 and Teredo tunnels, and the site-local range of old.
RETIRED = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("fec0::/10"))


def wants(kinds: Collection[str] | None, team: UUID | None, *, kind: str, concerned: Collection[str]) -> bool:
    """Whether a webhook with that filter (None: all kinds), of that team (None: all teams), gets an event."""
    if kind in UNTOLD or (kinds is not None and kind not in kinds):
        return False
    return team is None or str(team) in concerned


@dataclass(frozen=True)
class Backoff:
    """How long to wait after each failure, and when to give up."""

    first_seconds: float = 5
    factor: float = 3
    longest_seconds: float = 4 * 3600
    life_seconds: float = 24 * 3600


def next_attempt(plan: Backoff, *, failures: int, since: datetime, now: datetime, roll: float) -> datetime | None:
    """When to try again after so many failures, or None to give up. `roll` in [0, 1) spreads a crowd by a quarter."""
    wait = min(plan.first_seconds * plan.factor ** min(failures - 1, 64), plan.longest_seconds)
    due = now + timedelta(seconds=wait * (0.75 + roll / 2))
    return due if due < since + timedelta(seconds=plan.life_seconds) else None


def due_reminder(
    spans: Sequence[timedelta], sent: Collection[int], *, proposed_at: datetime, expires_at: datetime, now: datetime
) -> int | None:
    """The reminder that is due, as hours before the end; None if there is none, or it was sent.

    Of several that were missed only the last is sent, and none that would be due before the question was asked.
    """
    passed = [span for span in spans if proposed_at < expires_at - span <= now < expires_at]
    if not passed:
        return None
    hours = int(min(passed).total_seconds() // 3600)
    return None if any(earlier <= hours for earlier in sent) else hours


def refusal(address: IPv4Address | IPv6Address, *, allow_private: bool) -> str | None:
    """Why the address must not be called, or None. Metadata services and multicast are never receivers."""
    inner = _inside(address)
    if inner is not None:
        return refusal(inner, allow_private=allow_private)
    kinds = {
        "unspecified": address.is_unspecified,
        "multicast": address.is_multicast,
        "link-local": address.is_link_local,
        "in a retired range": any(address in network for network in RETIRED),
    }
    if found := [kind for kind, applies in kinds.items() if applies]:
        return found[0]
    if allow_private and (address.is_loopback or not address.is_reserved):
        return None
    if address.is_loopback:
        return "loopback"
    return None if address.is_global and not address.is_reserved else "not public"


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
