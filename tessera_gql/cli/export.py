"""`tessera export`: a contract as a document for other tools."""

from enum import StrEnum
from typing import Annotated

import typer

from tessera_gql.cli.remote import connected
from tessera_gql.cli.terminal import fail, print_document, print_json


class Written(StrEnum):
    """`source` is the document that the contract was published from, unchanged."""

    ODCS = "odcs"
    JSON_SCHEMA = "json-schema"
    SOURCE = "source"


def export(
    fqn: str,
    format_: Annotated[
        Written, typer.Option("--format", "-f", case_sensitive=False, help="What to write.")
    ] = Written.ODCS,
    version: Annotated[str | None, typer.Option(help="Not the current version, but this.")] = None,
) -> None:
    """Write an asset's contract to stdout, as ODCS v3, as its JSON Schema, or as the document it came from.

    Example: tessera export analytics.marts.orders --format odcs > orders.odcs.yaml
    """
    with connected() as client:
        asset = client.get_asset(fqn)
        found = asset.current_contract
        if version is not None:
            found = next((one for one in client.contracts(asset_id=asset.id) if one.version == version), None)
        if found is None:
            raise fail(f"{asset.fqn} has no {'contract' if version is None else f'version {version}'}.")
        documents = client.export_contract(found.id)
    match format_:
        case Written.ODCS:
            print_document(documents.exported, end="")
        case Written.JSON_SCHEMA:
            print_json(documents.schema_def)
        case Written.SOURCE if documents.source is not None:
            print_document(documents.source.text, end="")
        case _:
            raise fail(f"{asset.fqn} {found.version} was published as a JSON Schema: --format json-schema writes it.")
