"""Load the YAML of a data contract, and name the database that it describes."""

from tessera_gql.formats import yaml
from tessera_gql.formats.parsed_schema import DocumentError, check_length
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson
from tessera_gql.formats.yaml import YamlError


def load_contract(text: str) -> JsonObject:
    """Load a data contract. Raises DocumentError."""
    try:
        document = yaml.load(check_length(text, "data contract")).value
    except YamlError as error:
        raise DocumentError(f"This data contract can't be read: {error}") from error
    return document if isinstance(document, dict) else {}


def join_database(server: UntrustedJson) -> str:
    """Return the names of database and schema of a server, joined by a point; empty if it has none."""
    database = server.text("database") or server.text("project") or server.text("catalog")
    return ".".join(part for part in (database, server.text("schema") or server.text("dataset")) if part)
