"""Detect renamed properties. A rename is reported as one change and breaks like the removal."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.read.view import View, shape_key

MIN_SIMILARITY = 0.5
MAX_CANDIDATES = 20
"""Names that are compared with a name: those that share its rarest tokens."""
MAX_BUCKET = 50
"""Tokens of similar spelling that are compared with each other. In larger buckets only equal tokens are related."""
STEPS_PER_PAIR = 100
CACHED_SIMILARITIES = 20_000
MIN_PREFIX = 3
MIN_STEM = 4
SHORT_FORM, SYNONYM = 0.8, 0.6
ENDINGS = frozenset(
    {"", "s", "es", "d", "ed", "e", "r", "er", "or", "ing", "ion", "ions", "ation", "al", "ment", "y", "ies"}
)
"""Endings of words with a common stem, as in `created` and `creation`."""
TIME_TOKENS = frozenset({"at", "on", "time", "date", "datetime", "timestamp", "ts", "dt"})
"""Tokens that only mark a column as a time."""
VOWELS = frozenset("aeiou")
NamedSchema = tuple[str, Schema]
Tokens = tuple[str, ...]
TokensByName = dict[str, Tokens]


def find_renames(removed: Sequence[NamedSchema], added: Sequence[NamedSchema]) -> dict[str, str]:
    """Map old names to new names.

    `x-renamed-from` decides; otherwise both names must be the best match of each other among equal shapes.
    """
    removed_names = {name for name, _ in removed}
    declared = [(node.entries.get("x-renamed-from"), new) for new, node in added]
    matches = {old: new for old, new in declared if isinstance(old, str) and old in removed_names}
    declared_names = {*matches.values()}
    left = _group_by_shape([item for item in removed if item[0] not in matches])
    right = _group_by_shape([item for item in added if item[0] not in declared_names])
    for shape, schemas in left.items():
        budget = schemas[0][1].cache.budget
        matches |= _match_names(_tokenize_all(schemas), _tokenize_all(right.get(shape, [])), budget)
    return matches


def _group_by_shape(schemas: Sequence[NamedSchema]) -> dict[str, list[NamedSchema]]:
    groups: dict[str, list[NamedSchema]] = {}
    for name, node in schemas:
        groups.setdefault(shape_key(View((node,))), []).append((name, node))
    return groups


def _tokenize_all(schemas: Sequence[NamedSchema]) -> TokensByName:
    return {name: tokenize(name) for name, _ in schemas}


def _match_names(left: TokensByName, right: TokensByName, budget: Budget) -> dict[str, str]:
    """Map the names that are the best match of each other."""
    scores: dict[tuple[str, str], float] = {}
    for old, new in _list_candidates(left, right):
        if not budget.spend_steps(STEPS_PER_PAIR):
            break
        scores[old, new] = _similarity(left[old], right[new])
    by_old, by_new = _best_matches(scores, 0), _best_matches(scores, 1)
    return {
        old: new
        for (old, new), score in scores.items()
        if score >= MIN_SIMILARITY and score > max(by_old[old].best_without(new), by_new[new].best_without(old))
    }


def _list_candidates(left: TokensByName, right: TokensByName) -> Iterator[tuple[str, str]]:
    """Yield pairs of names that share a token or a similar one, for each old name those of its rarest tokens."""
    names_by_token: dict[str, list[str]] = {}
    for name, tokens in right.items():
        for token in dict.fromkeys(tokens):
            names_by_token.setdefault(token, []).append(name)
    related = _relate_tokens({token for tokens in left.values() for token in tokens}, names_by_token.keys())
    for old, tokens in left.items():
        candidates: dict[str, None] = {}
        peers = {peer for token in tokens for peer in related.get(token, ())}
        for peer in sorted(peers, key=lambda token: (len(names_by_token[token]), token)):
            if len(candidates) + len(names_by_token[peer]) > MAX_CANDIDATES:
                break
            candidates.update(dict.fromkeys(names_by_token[peer]))
        yield from ((old, new) for new in candidates)


def _relate_tokens(left: Iterable[str], right: Iterable[str]) -> dict[str, list[str]]:
    """Map each token of the left side to the similar tokens of the right side."""
    buckets: dict[str, list[str]] = {}
    for token in sorted(right):
        for key in _spelling_keys(token):
            buckets.setdefault(key, []).append(token)
    related: dict[str, list[str]] = {}
    for token in left:
        peers: dict[str, None] = {}
        for key in _spelling_keys(token):
            bucket = buckets.get(key, [])
            peers.update(dict.fromkeys(bucket if len(bucket) <= MAX_BUCKET else [token] if token in bucket else []))
        related[token] = [peer for peer in peers if token_similarity(token, peer)]
    return related


def _spelling_keys(token: str) -> Iterator[str]:
    """Yield keys of which similar tokens share one: the token, its first letters, and the class of its meaning."""
    yield token
    if token in TIME_TOKENS:
        yield " time"
    if token.isalpha():
        yield f"{token[:1]} "
        yield f"{token[:MIN_PREFIX]} "


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
    return _similarity(tokenize(old), tokenize(new))


def _similarity(left: Tokens, right: Tokens) -> float:
    """Return the mean similarity of the tokens. Names that both have a token of their own name different things."""
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    best_left = [max(token_similarity(token, peer) for peer in right) for token in left]
    best_right = [max(token_similarity(token, peer) for peer in left) for token in right]
    if not all(best_left) and not all(best_right):
        return 0.0
    return (sum(best_left) + sum(best_right)) / (len(left) + len(right))


def tokenize(name: str) -> Tokens:
    """Split a name into lower-case words and numbers: `HTTPStatus2` into `http`, `status` and `2`."""
    if name.isascii():
        return tuple(token.lower() for token in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name))
    return tuple(re.findall(r"[^\W\d_]+|\d+", name.lower()))


@lru_cache(CACHED_SIMILARITIES)
def token_similarity(left: str, right: str) -> float:
    """Return 1 for equal words, less for short forms, inflected forms and words for a time, 0 for different words."""
    if left == right:
        return 1.0
    if not (left.isalpha() and right.isalpha()):
        return 0.0
    short, long = sorted((left, right), key=len)
    if _is_short_form(short, long) or _have_common_stem(short, long):
        return SHORT_FORM
    return SYNONYM if left in TIME_TOKENS and right in TIME_TOKENS else 0.0


def _is_short_form(short: str, long: str) -> bool:
    """Return whether a word is a prefix of the other or leaves out its vowels: `cust` and `amt` for `amount`."""
    if len(short) < MIN_PREFIX or long.startswith(short):
        return len(short) >= MIN_PREFIX
    letters = iter(long)
    return short[0] == long[0] and VOWELS.isdisjoint(short[1:]) and all(letter in letters for letter in short)


def _have_common_stem(short: str, long: str) -> bool:
    stem = next(
        (index for index, letters in enumerate(zip(short, long, strict=False)) if len({*letters}) > 1), len(short)
    )
    return stem >= MIN_STEM and short[stem:] in ENDINGS and long[stem:] in ENDINGS
