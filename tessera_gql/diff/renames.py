"""Gone here, new there, and alike: a rename. It is a way of telling, never a verdict."""

import re
from collections.abc import Sequence

from tessera_gql.diff.schema import Schema
from tessera_gql.diff.view import View, shape

ENOUGH = 0.5
MAX_CANDIDATES = 200
Named = tuple[str, Schema]


def renames(gone: Sequence[Named], come: Sequence[Named]) -> dict[str, str]:
    """Old name to new name. `x-renamed-from` decides; otherwise both must be each other's best among equal shapes."""
    come_names = {name for name, _ in come}
    found = {
        old: new
        for new, node in come
        if isinstance(old := node.entries.get("x-renamed-from"), str) and old in {name for name, _ in gone}
    }
    if max(len(gone), len(come)) > MAX_CANDIDATES:
        return found
    left = [(name, shape(View((node,)))) for name, node in gone if name not in found]
    right = [(name, shape(View((node,)))) for name, node in come if name in come_names - set(found.values())]
    scores = {
        (old, new): likeness(old, new) for old, old_shape in left for new, new_shape in right if old_shape == new_shape
    }
    for (old, new), score in scores.items():
        rivals = [other for pair, other in scores.items() if pair != (old, new) and (pair[0] == old or pair[1] == new)]
        if score >= ENOUGH and all(score > rival for rival in rivals):
            found[old] = new
    return found


def likeness(old: str, new: str) -> float:
    """0 to 1, by the words in both names: `customer_id` and `customerID` are 1, `cust_id` and `customer_id` close."""
    left, right = _words(old), _words(new)
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    shared = sum(max(_alike(word, other) for other in right) for word in left)
    shared += sum(max(_alike(word, other) for other in left) for word in right)
    return shared / (len(left) + len(right))


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _alike(word: str, other: str) -> float:
    if word == other:
        return 1.0
    is_short_form = min(len(word), len(other)) >= 3 and (word.startswith(other) or other.startswith(word))
    return 0.8 if is_short_form else 0.0
