"""Arguments of publishes that are values of their own: a change set, and a schema in a foreign format."""

from dataclasses import dataclass

from tessera_gql.client.enums import DocumentFormat


@dataclass(frozen=True)
class ChangeSetRequest:
    """A change set by its natural key, such as `github.com/org/repo#4711`, with the title, URL and commit that it gets.

    `commit` is the id of the Git commit that is proposed.
    """

    key: str
    title: str | None = None
    url: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Document:
    """A schema in another format than JSON Schema. `part` selects one of several tables or messages.

    The text of PROTOBUF is a compiled descriptor set in base64.
    """

    format: DocumentFormat
    text: str
    part: str | None = None
    dialect: str | None = None
