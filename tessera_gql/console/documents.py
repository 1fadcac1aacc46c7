"""The stored GraphQL documents of the console, beside the templates that show their data."""

import re
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

FOLDER = Path(__file__).parent
FRAGMENT = re.compile(r"^fragment (\w+) on", re.MULTILINE)

DocumentKind: TypeAlias = Literal["pages", "actions", "subscriptions", "downloads"]


@cache
def load_document(kind: DocumentKind, name: str) -> str:
    """Load a stored document with the fragments that it uses: a query, a mutation or a subscription."""
    text = (FOLDER / kind / f"{name}.graphql").read_text()
    missing = {**_load_fragments()}
    while used := [fragment for fragment in missing if f"...{fragment}" in text]:
        text = "\n".join([text, *(missing.pop(fragment) for fragment in used)])
    return text


@cache
def _load_fragments() -> dict[str, str]:
    """Load the fragments that several documents share, by name."""
    texts = [path.read_text() for path in sorted((FOLDER / "fragments").glob("*.graphql"))]
    return {name: text for text in texts for name in FRAGMENT.findall(text)}


def list_documents(kind: DocumentKind) -> list[str]:
    """Return the names of all stored documents of a kind."""
    return sorted(path.stem for path in (FOLDER / kind).glob("*.graphql"))
