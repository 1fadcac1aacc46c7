"""Detect renamed properties. A rename is reported as one change and breaks like the removal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.read.view import View, shape_key

MIN_SIMILARITY = 0.5
MAX_CANDIDATES = 200
NamedSchema = tuple[str, Schema]
NamedShape = tuple[str, str]


def find_renames(removed: Sequence[NamedSchema], added: Sequence[NamedSchema]) -> dict[str, str]:
    """Map old names to new names.

    `x-renamed-from` decides; otherwise both names must be the best match of each other among equal shapes.
    """
    removed_names = {name for name, _ in removed}
    declared = [(node.entries.get("x-renamed-from"), new) for new, node in added]
    matches = {old: new for old, new in declared if isinstance(old, str) and old in removed_names}
    if max(len(removed), len(added)) > MAX_CANDIDATES:
        return matches
    left = [(name, shape_key(View((node,)))) for name, node in removed if name not in matches]
    right = [(name, shape_key(View((node,)))) for name, node in added if name not in matches.values()]
    scores = _score_pairs(left, right)
    by_old, by_new = _best_matches(scores, 0), _best_matches(scores, 1)
    for (old, new), score in scores.items():
        if score >= MIN_SIMILARITY and score > max(by_old[old].best_without(new), by_new[new].best_without(old)):
            matches[old] = new
    return matches


def _score_pairs(left: Sequence[NamedShape], right: Sequence[NamedShape]) -> dict[tuple[str, str], float]:
    """Return the similarity of all pairs of names with equal shapes."""
    tokens = {name: _tokenize(name) for name, _ in (*left, *right)}
    return {
        (old, new): _similarity(tokens[old], tokens[new])
        for old, old_shape in left
        for new, new_shape in right
        if old_shape == new_shape
    }


@dataclass
class _BestMatch:
    """The two highest scores of a name, and the partner with the highest."""

    partner: str = ""
    best: float = -1.0
    second_best: float = -1.0

    def add(self, partner: str, score: float) -> None:
        if score > self.best:
            self.partner, self.best, self.second_best = partner, score, self.best
        elif score > self.second_best:
            self.second_best = score

    def best_without(self, partner: str) -> float:
        """Return the highest score with any other partner."""
        return self.second_best if partner == self.partner else self.best


def _best_matches(scores: Mapping[tuple[str, str], float], side: int) -> dict[str, _BestMatch]:
    best: dict[str, _BestMatch] = {}
    for pair, score in scores.items():
        best.setdefault(pair[side], _BestMatch()).add(pair[1 - side], score)
    return best


def name_similarity(old: str, new: str) -> float:
    """Return the similarity of two names by their words, from 0 to 1; `customer_id` and `customerID` have 1."""
    return _similarity(_tokenize(old), _tokenize(new))


def _similarity(left: list[str], right: list[str]) -> float:
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    shared = sum(max(_token_similarity(token, peer) for peer in right) for token in left)
    shared += sum(max(_token_similarity(token, peer) for peer in left) for token in right)
    return shared / (len(left) + len(right))


def _tokenize(name: str) -> list[str]:
    return [token.lower() for token in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _token_similarity(left: str, right: str) -> float:
    if left == right:
        return 1.0
    is_short_form = min(len(left), len(right)) >= 3 and (left.startswith(right) or right.startswith(left))
    return 0.8 if is_short_form else 0.0
