"""Gone here, new there, and alike: a rename. It is a way of telling, never a verdict."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tessera_gql.diff.schema import Schema
from tessera_gql.diff.view import View, shape_key

ENOUGH = 0.5
MAX_CANDIDATES = 200
Named = tuple[str, Schema]


def find_renames(removed: Sequence[Named], added: Sequence[Named]) -> dict[str, str]:
    """Old name to new name. `x-renamed-from` decides; otherwise both must be each other's best among equal shapes."""
    come_names = {name for name, _ in added}
    found = {
        old: new
        for new, node in added
        if isinstance(old := node.entries.get("x-renamed-from"), str) and old in {name for name, _ in removed}
    }
    if max(len(removed), len(added)) > MAX_CANDIDATES:
        return found
    left = [(name, shape_key(View((node,)))) for name, node in removed if name not in found]
    right = [(name, shape_key(View((node,)))) for name, node in added if name in come_names - set(found.values())]
    scores = _scores(left, right)
    by_old, by_new = _best(scores, 0), _best(scores, 1)
    for (old, new), score in scores.items():
        if score >= ENOUGH and score > max(by_old[old].other_than(new), by_new[new].other_than(old)):
            found[old] = new
    return found


def _scores(left: Sequence[tuple[str, object]], right: Sequence[tuple[str, object]]) -> dict[tuple[str, str], float]:
    """The likeness of every pair of names with equal shapes."""
    words = {name: _words(name) for name, _ in (*left, *right)}
    return {
        (old, new): _likeness(words[old], words[new])
        for old, old_shape in left
        for new, new_shape in right
        if old_shape == new_shape
    }


@dataclass
class _Best:
    """The two highest scores of one name, and the partner that has the highest."""

    partner: str = ""
    first: float = -1.0
    second: float = -1.0

    def add(self, partner: str, score: float) -> None:
        if score > self.first:
            self.partner, self.first, self.second = partner, score, self.first
        elif score > self.second:
            self.second = score

    def other_than(self, partner: str) -> float:
        """The highest score with any other partner."""
        return self.second if partner == self.partner else self.first


def _best(scores: Mapping[tuple[str, str], float], side: int) -> dict[str, _Best]:
    best: dict[str, _Best] = {}
    for pair, score in scores.items():
        best.setdefault(pair[side], _Best()).add(pair[1 - side], score)
    return best


def likeness(old: str, new: str) -> float:
    """0 to 1, by the words in both names: `customer_id` and `customerID` are 1, `cust_id` and `customer_id` close."""
    return _likeness(_words(old), _words(new))


def _likeness(left: list[str], right: list[str]) -> float:
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
