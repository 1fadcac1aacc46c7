"""Labels of assets: short names such as `pii` or `domain:sales`, by which assets are found."""

import unicodedata
from collections.abc import Iterable

from tessera_gql.errors import Invalid
from tessera_gql.policy.validation import uniqueness_key

MAX_LABELS = 50
MAX_LABEL = 100


def clean_labels(names: Iterable[str]) -> dict[str, str]:
    """Return labels by their key, each once; raise Invalid for one that can't be a label, and for too many."""
    labels = {uniqueness_key(name): unicodedata.normalize("NFC", name).strip() for name in names}
    for name in labels.values():
        if not is_label(name):
            raise Invalid(
                f"{name[:100]!r} can't be a label. It needs 1 to {MAX_LABEL} visible characters, such as pii or"
                " domain:sales.",
                field=("labels",),
            )
    if len(labels) > MAX_LABELS:
        raise Invalid(f"An asset has {MAX_LABELS} labels at most, and these are {len(labels)}.", field=("labels",))
    return labels


def select_labels(names: Iterable[str]) -> dict[str, str]:
    """Return the first labels of a document by their key; what can't be a label is left out."""
    texts = (unicodedata.normalize("NFC", name).strip() for name in names)
    labels = {uniqueness_key(text): text for text in texts if is_label(text)}
    return dict(sorted(labels.items())[:MAX_LABELS])


def is_label(name: str) -> bool:
    """Return whether a text has the length and the characters of a label."""
    return 0 < len(name) <= MAX_LABEL and not any(unicodedata.category(char).startswith("C") for char in name)
