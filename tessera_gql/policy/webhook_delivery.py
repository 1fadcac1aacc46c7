"""Webhook decisions: which events match, when to retry or give up, which addresses may be called."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from uuid import UUID

from tessera_gql.policy.private_events import WebhookDeliveryFailed

# Failed deliveries are not delivered as events: two broken receivers would report each other forever.
UNDELIVERED_KINDS = frozenset({WebhookDeliveryFailed.kind})

# Listed here because the properties of `ipaddress` differ between versions of Python.
# The lists follow IANA's registries of special-purpose addresses.
METADATA_NETWORKS = (
    *map(ip_network, ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")),
    *map(ip_network, ("fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128")),
)
"""Metadata services of clouds, which hand out credentials, and link-local addresses: never called."""
PRIVATE_NETWORKS = (
    *map(ip_network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *map(ip_network, ("198.18.0.0/15", "::1/128", "fc00::/7")),
)
"""Private and loopback networks: called if `allow_private` is set."""
RESERVED_NETWORKS = (
    *map(ip_network, ("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24")),
    *map(ip_network, ("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")),
    *map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
)
"""Protocol assignments, documentation, multicast and tunnels (6to4, Teredo): never called."""
GLOBAL_IPV6 = ip_network("2000::/3")
"""The only network with public IPv6 addresses."""
# IPv6 networks that embed an IPv4 address in their last 32 bits: that address is the one really called.
EMBEDDING_NETWORKS = (*map(ip_network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")),)


def matches_filter(
    kinds: Collection[str] | None, team: UUID | None, *, kind: str, audience_team_ids: Collection[str]
) -> bool:
    """Whether an event matches a webhook's filter: `kinds` (None: all kinds) and `team` (None: all teams)."""
    if kind in UNDELIVERED_KINDS or (kinds is not None and kind not in kinds):
        return False
    return team is None or str(team) in audience_team_ids


@dataclass(frozen=True)
class Backoff:
    """Delays between delivery attempts, and when to give up."""

    first_seconds: float = 5
    factor: float = 3
    maximum_seconds: float = 4 * 3600
    give_up_after_seconds: float = 24 * 3600


def next_attempt(
    backoff: Backoff, *, failures: int, since: datetime, now: datetime, jitter: float, retry_after: float | None = None
) -> datetime | None:
    """When to retry after so many failures; None to give up. `jitter` in [0, 1) shifts the wait by up to ± 25 %.

    `retry_after` are the seconds that the receiver asks for, at least; of them, the longest wait of the backoff counts.
    """
    wait = min(backoff.first_seconds * backoff.factor ** min(failures - 1, 64), backoff.maximum_seconds)
    requested = min(retry_after or 0, backoff.maximum_seconds)
    due = now + timedelta(seconds=max(wait * (0.75 + jitter / 2), requested))
    return due if due < since + timedelta(seconds=backoff.give_up_after_seconds) else None


def find_block_reason(address: IPv4Address | IPv6Address, *, allow_private: bool) -> str | None:
    """The reason why an address must not be called, or None if it may be called."""
    if _is_in_any(address, EMBEDDING_NETWORKS):
        return find_block_reason(IPv4Address(int(address) & 0xFFFFFFFF), allow_private=allow_private)
    if _is_in_any(address, METADATA_NETWORKS):
        return "link-local or a metadata service"
    if _is_in_any(address, RESERVED_NETWORKS):
        return "in a reserved range"
    if _is_in_any(address, PRIVATE_NETWORKS):
        return None if allow_private else "loopback" if address.is_loopback else "private"
    return None if address.version == 4 or address in GLOBAL_IPV6 else "in a reserved range"


def _is_in_any(address: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
