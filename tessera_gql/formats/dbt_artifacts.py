"""Load the JSON files that dbt writes, its artifacts: `manifest.json` and `catalog.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tessera_gql.formats.untrusted_json import JsonObject


class ArtifactError(ValueError):
    """A document that can't be read as an artifact; `reason` is the message for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Artifact:
    """A kind of artifact: its name, the command that writes it, the members that are read, and its error."""

    name: str
    command: str
    members: tuple[str, ...]
    error: type[ArtifactError]

    def load(self, document: bytes | str | Mapping[str, Any]) -> JsonObject:
        """Parse the document. A mapping is copied, so that the result shares no object with the caller."""
        if isinstance(document, Mapping):
            document = self._dump({member: document.get(member) for member in self.members})
        try:
            parsed = orjson.loads(document)
        except (ValueError, TypeError) as error:
            raise self.refuse(
                f"it is not JSON, or cut short ({error})", f"Give the whole {self.file} that {self.command} writes."
            ) from error
        if not isinstance(parsed, dict):
            raise self.refuse("it is JSON, but no object", f"Give the {self.file} that dbt writes.")
        return parsed

    @property
    def file(self) -> str:
        return f"target/{self.name}.json"

    def refuse(self, problem: str, advice: str) -> ArtifactError:
        """Build the error for a document that is no such artifact."""
        return self.error(f"This is not a dbt {self.name}: {problem}. {advice}")

    def _dump(self, document: JsonObject) -> bytes:
        try:
            return orjson.dumps(document, default=_to_dict)
        except TypeError as error:
            advice = f"Give the document as it was parsed from {self.file}."
            raise self.refuse(f"it holds values that JSON has not ({error})", advice) from error


def _to_dict(value: object) -> JsonObject:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
