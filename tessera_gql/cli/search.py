"""`tessera search`: find teams, assets, columns and proposals by a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.terminal import JsonOption, print_json, print_note, print_table
from tessera_gql.client.enums import SearchType

if TYPE_CHECKING:
    from tessera_gql.client.search_models import SearchHit

HEADINGS = ("type", "name", "found in", "text")


def search(
    query_terms: Annotated[list[str], typer.Argument(metavar="WORDS", help="Words that a match has, in any order.")],
    types: Annotated[
        list[SearchType] | None, typer.Option("--type", case_sensitive=False, help="Only this type; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Number of matches.")] = 20,
    archived: Annotated[bool, typer.Option("--archived", help="Also what is archived or has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search teams, assets with their columns and descriptions, and proposals. Mistakes of one letter are forgiven.

    Example: tessera search orders coupon
    """
    with connect() as client:
        results = client.search(" ".join(query_terms), types=types or None, first=limit, include_archived=archived)
    if as_json:
        print_json(results)
        return
    rows = ((hit.type, hit.title, hit.matched, _describe(hit)) for hit in results.edges)
    print_table(HEADINGS, rows, none="Nothing matches all of these words. Try fewer words, or --archived.")
    if results.total_count > len(results.edges):
        total = f"{results.total_count}{'' if results.is_total_count_exact else '+'}"
        print_note(f"The best {len(results.edges)} of {total} matches; --limit prints up to 100.")


def _describe(hit: SearchHit) -> str:
    """Return the texts outside of the name in which words are found."""
    return ", ".join(item.text for item in hit.highlights if item.text != hit.title)
