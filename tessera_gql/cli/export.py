"""`tessera export`: write a contract as a document for other tools."""

from enum import StrEnum
from typing import Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.terminal import fail, print_document, print_json
from tessera_gql.cli.versions import describe_missing_version
from tessera_gql.escaping import build_tessera_command


class ExportFormat(StrEnum):
    """Format of the exported document; `source` is the unchanged document that was published."""

    ODCS = "odcs"
    JSON_SCHEMA = "json-schema"
    SOURCE = "source"


def export(
    fqn: FqnArgument,
    format_: Annotated[
        ExportFormat, typer.Option("--format", "-f", case_sensitive=False, help="Format of the document.")
    ] = ExportFormat.ODCS,
    version: Annotated[str | None, typer.Option(help="Version to export; by default the current one.")] = None,
) -> None:
    """Write a contract to stdout as ODCS v3, JSON Schema, or the document it was published from.

    Example: tessera export analytics.marts.orders --format odcs > orders.odcs.yaml
    """
    with connect() as client:
        asset = client.get_asset(fqn)
        contract = asset.current_contract
        if version is not None:
            contracts = {item.version: item for item in client.contracts(asset_id=asset.id)}
            contract = contracts.get(version)
            if contract is None and contracts:
                raise fail(describe_missing_version(asset.fqn, version, [*contracts]))
        if contract is None:
            command = build_tessera_command("publish", asset.fqn, "FILE")
            raise fail(f"{asset.fqn} has no contract, so there is nothing to export. `{command}` publishes one.")
        documents = client.export_contract(contract.id)
    match format_:
        case ExportFormat.ODCS:
            print_document(documents.exported, end="")
        case ExportFormat.JSON_SCHEMA:
            print_json(documents.schema_def)
        case ExportFormat.SOURCE if documents.source is not None:
            print_document(documents.source.text, end="")
        case _:
            published = f"{asset.fqn} {contract.version} was published as a JSON Schema"
            raise fail(f"{published}: --format json-schema writes it.")
