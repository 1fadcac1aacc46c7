"""The stored GraphQL documents of the console, beside the templates that show their data."""

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

FOLDER = Path(__file__).parent
SHELL = "shell"
"""The fragment with what the head of every page shows."""

DocumentKind: TypeAlias = Literal["pages", "actions", "subscriptions"]


@cache
def load_document(kind: DocumentKind, name: str) -> str:
    """Load a stored document: the query of a page with the fragment of its head, a mutation or a subscription."""
    text = (FOLDER / kind / f"{name}.graphql").read_text()
    return f"{text}\n{(FOLDER / 'pages' / f'{SHELL}.graphql').read_text()}" if kind == "pages" else text


def list_documents(kind: DocumentKind) -> list[str]:
    """Return the names of all stored documents of a kind."""
    return sorted(path.stem for path in (FOLDER / kind).glob("*.graphql") if path.stem != SHELL)
