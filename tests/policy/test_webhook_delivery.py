"""Retries are scheduled with backoff and an end, and webhooks are filtered by kind, team and address."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.policy.webhook_delivery import Backoff, find_block_reason, matches_filter, next_attempt

START = datetime(2026, 1, 1, tzinfo=UTC)


def attempts(plan: Backoff, roll: float) -> list[datetime]:
    times = [START]
    while due := next_attempt(plan, failures=len(times), since=START, now=times[-1], jitter=roll):
        times.append(due)
    return times


@given(st.floats(min_value=0, max_value=0.999))
def test_attempts_spread_over_a_day_and_then_end(roll: float) -> None:
    times = attempts(Backoff(), roll)
    assert 10 <= len(times) <= 20
    assert timedelta(hours=18) < times[-1] - START < timedelta(days=1)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[0] < timedelta(seconds=10)


def test_a_crowd_that_failed_together_does_not_come_back_together() -> None:
    early, late = (next_attempt(Backoff(), failures=5, since=START, now=START, jitter=roll) for roll in (0, 0.99))
    assert early is not None
    assert late is not None
    assert (late - START) / (early - START) > 1.5


def test_a_webhook_receives_the_kinds_of_its_filter_and_the_events_of_its_team() -> None:
    own_team, other_team = uuid4(), uuid4()
    assert matches_filter(None, None, kind="TEAM_CREATED", audience_team_ids=[])
    assert matches_filter(["TEAM_CREATED"], own_team, kind="TEAM_CREATED", audience_team_ids=[str(own_team)])
    assert not matches_filter(["TEAM_CREATED"], own_team, kind="TEAM_CREATED", audience_team_ids=[str(other_team)])
    assert not matches_filter(["TEAM_CREATED"], None, kind="TEAM_UPDATED", audience_team_ids=[])


def test_a_failed_delivery_is_never_itself_delivered() -> None:
    for kinds in (None, ["WEBHOOK_DELIVERY_FAILED"]):
        assert not matches_filter(kinds, None, kind="WEBHOOK_DELIVERY_FAILED", audience_team_ids=[])


METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"]
METADATA_IPV6 = ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::a9fe:a9fe"]
RESERVED = [
    *("0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::7f00:1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:808:808::1"),
    *("3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "64:ff9b:1::808:808", "fec0::1", "ff02::1", "e000::1"),
]
PRIVATE = [
    *("10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "172.16.0.1", "172.31.255.255", "192.168.1.1", "198.18.0.1"),
    *("::1", "fc00::1", "fd12:3456::1"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1", "192.89.0.1"),
    *("223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2400::1", "3ffe::1", "3fff:1000::1"),
]


def ipv6_forms(address: str) -> list[IPv6Address]:
    """IPv6 addresses that lead to that IPv4 address: mapped, translated, NAT64, 6to4, Teredo (server and client)."""
    number = int(IPv4Address(address))
    prefixes = ("::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::")
    addresses = [IPv6Address(int(IPv6Address(prefix)) | number) for prefix in prefixes]
    addresses.append(IPv6Address(int(IPv6Address("2002::")) | number << 80))
    addresses.append(IPv6Address(int(IPv6Address("2001::")) | number << 64 | 0xFFFFFFFF))
    addresses.append(IPv6Address(int(IPv6Address("2001::")) | number ^ 0xFFFFFFFF))
    return addresses


@pytest.mark.parametrize("allow_private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("address", [*METADATA, *METADATA_IPV6, *RESERVED])
def test_metadata_services_and_reserved_addresses_are_never_called_in_whatever_form(
    address: str, allow_private: bool
) -> None:
    assert find_block_reason(ip_address(address), allow_private=allow_private)
    if ":" not in address:
        assert all(find_block_reason(form, allow_private=allow_private) for form in ipv6_forms(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_called_only_if_that_is_allowed(address: str) -> None:
    assert find_block_reason(ip_address(address), allow_private=False)
    assert find_block_reason(ip_address(address), allow_private=True) is None
    if ":" not in address:
        assert all(find_block_reason(form, allow_private=False) for form in ipv6_forms(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called_in_their_plain_mapped_and_translated_form(address: str) -> None:
    assert find_block_reason(ip_address(address), allow_private=False) is None
    if ":" not in address:
        assert [find_block_reason(form, allow_private=False) is None for form in ipv6_forms(address)] == [True] * 3 + [
            False
        ] * 4


@given(st.integers(0, 2**128 - 1))
def test_of_ipv6_only_global_unicast_is_public(number: int) -> None:
    address = IPv6Address(number)
    if address not in ip_network("2000::/3") and not any(
        number >> 32 == int(form) >> 32 for form in ipv6_forms("0.0.0.0")
    ):
        assert find_block_reason(address, allow_private=False)


@given(st.integers(0, 2**32 - 1))
def test_addresses_that_python_does_not_call_global_are_never_public(number: int) -> None:
    address = IPv4Address(number)
    if not address.is_global:
        assert find_block_reason(address, allow_private=False)
