"""`tessera deprecate`: announce that fields or an asset go away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from tessera_gql.client import Deprecation, DeprecationResult

HEADINGS = ("goes", "on", "use", "because", "source")


def deprecate(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: FqnArgument,
    field: Annotated[
        list[str] | None, typer.Option("--field", "-f", help="Field path that goes; repeatable. Default: everything.")
    ] = None,
    sunset: Annotated[str | None, typer.Option(metavar="DATE", help="Day on which it goes, as 2031-06-01.")] = None,
    replacement: Annotated[str | None, typer.Option(help="Field or asset to use instead.")] = None,
    reason: Annotated[str | None, typer.Option(help="Reason for the readers.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Withdraw the deprecation instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Announce that an asset, or some fields of it, go away. Readers are informed now, and reminded before the day.

    Again with another date or replacement changes the announcement; it then has what this command gives, and no more.

    Example: tessera deprecate analytics.marts.orders --field coupon --sunset 2031-06-01 --replacement discount
    """
    if end and (sunset or replacement or reason):
        raise fail("--end takes a deprecation back: leave --sunset, --replacement and --reason out.")
    if not end and not sunset:
        raise fail("A deprecation needs the day on which it goes: --sunset 2031-06-01. To take it back: --end.")
    with connect() as client:
        if sunset:
            declared = client.deprecate(
                fqn,
                sunset_at=_parse_date(sunset),
                fields=field or None,
                replacement=replacement or None,
                reason=reason or None,
            )
            result: DeprecationResult = declared
            warnings = declared.warnings or ()
        else:
            warnings = ()
            result = client.end_deprecation(fqn, fields=field or None)
    for warning in warnings:
        print_note((f"note: {warning}", "yellow"))
    if as_json:
        print_json(result)
        return
    for item in result.deprecations:
        name = f"{result.asset.fqn}.{item.path}" if item.path else result.asset.fqn
        print_line(f"{name} is no longer deprecated." if end else f"{name} goes on {_format_day(item)}.")


def _parse_date(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise fail(f"--sunset {text} is no date. Write it as 2031-06-01.") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _format_day(item: Deprecation) -> str:
    return item.sunset_at.astimezone(UTC).date().isoformat() if item.sunset_at else "an unknown day"


def print_deprecations(deprecations: Sequence[Deprecation]) -> None:
    """Print deprecations of an asset as a table; nothing if there are none."""
    rows = [
        (item.path or "everything", _format_day(item), item.replacement, item.reason, item.origin)
        for item in deprecations
    ]
    if rows:
        print_table(HEADINGS, rows, none="")
