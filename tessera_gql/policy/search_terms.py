"""Terms of the search: how names and texts are split, and which terms are near a misspelt word.

Documents and queries go through the same function, so letters match whatever their case, accents or notation.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

MAX_TERM_LENGTH = 40
"""Longer runs of letters are split, so that no key of an index is too long."""
MAX_TEXT_LENGTH = 4_000
"""Characters of a text that are searched; what follows is not found."""
FULL, SHORTENED, ENDING = "=", "-", "~"
"""Prefixes of the variants of a term: the term, the term without one of its letters, and its endings."""

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_RUNS = re.compile(r"[^\W_]+|[%#&@$+]|[^\w\s\x00-\x7f]")
_SYMBOLS = frozenset({"So", "Sc"})
"""Categories of characters that are terms by themselves, such as emoji and signs of currencies."""


@lru_cache(maxsize=50_000)
def split_terms(text: str) -> tuple[str, ...]:
    """Split a text into terms: a name in snake or camel case gives its parts."""
    spaced = _CAMEL_HUMP.sub(" ", text[:MAX_TEXT_LENGTH])
    return tuple(term for run in _RUNS.findall(_fold(spaced)) for term in _cut(run))


@lru_cache(maxsize=50_000)
def list_terms(text: str) -> tuple[str, ...]:
    """Return the terms to store for a text; words in camel case are found by their parts, and in lower case."""
    terms = split_terms(text)
    if not _CAMEL_HUMP.search(text):
        return terms
    whole = (term for run in _RUNS.findall(_fold(text[:MAX_TEXT_LENGTH])) for term in _cut(run))
    return tuple(dict.fromkeys((*terms, *whole)))


def _fold(text: str) -> str:
    """Fold case, accents and compatible notations; symbols become words of their own."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(_fold_character(character) for character in plain)


def _fold_character(character: str) -> str:
    match unicodedata.category(character):
        case "Mn" | "Cf":
            return ""
        case category if category in _SYMBOLS:
            return f" {character} "
        case category if category[0] in "LN":
            return character
        case _:
            return character if character.isascii() else " "


def _cut(run: str) -> Iterator[str]:
    return (run[start : start + MAX_TERM_LENGTH] for start in range(0, len(run), MAX_TERM_LENGTH))


def list_variants(term: str) -> set[str]:
    """Return the keys by which a term is looked up: by itself, without one letter, and by its endings.

    A number has no others than itself, because catalogs have many and nobody types a part of one.
    """
    variants = {FULL + term}
    if len(term) > 1 and any(character.isalpha() for character in term):
        variants |= {SHORTENED + shorter for shorter in shorten(term)}
        variants |= {ENDING + term[start:] for start in range(1, len(term) - 1)}
    return variants


def shorten(term: str) -> set[str]:
    """Return the term without each of its letters in turn."""
    return {term[:index] + term[index + 1 :] for index in range(len(term))}


def list_misspellings(query_term: str) -> list[str]:
    """Return the keys of all terms that are one edit away from the word; `is_misspelt` confirms them."""
    if len(query_term) < 2:
        return []
    shorter = shorten(query_term)
    return sorted({SHORTENED + query_term} | {mark + item for mark in (SHORTENED, FULL) for item in shorter})


def is_misspelt(query_term: str, term: str) -> bool:
    """Return whether one letter was replaced, left out, added, or exchanged with the next."""
    if query_term == term or abs(len(query_term) - len(term)) > 1:
        return False
    start = _count_common(query_term, term)
    query_term, term = query_term[start:], term[start:]
    if len(query_term) != len(term):
        return query_term[1:] == term or query_term == term[1:]
    return query_term[1:] == term[1:] or (query_term[:2] == term[1::-1] and query_term[2:] == term[2:])


def _count_common(query_term: str, term: str) -> int:
    pairs = zip(query_term, term, strict=False)
    return next((index for index, (left, right) in enumerate(pairs) if left != right), min(len(query_term), len(term)))


def is_digit(query_term: str) -> bool:
    """Return whether a word is a single digit, which is found only as it is: too many numbers contain it."""
    return len(query_term) == 1 and query_term.isdecimal()


def divide_differently(query_terms: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the same words with one space set elsewhere: two words joined, one divided, or both.

    A letter may also stand in the place of a space.
    """
    for index, query_term in enumerate(query_terms):
        before, after = tuple(query_terms[:index]), tuple(query_terms[index + 1 :])
        yield from ((*before, query_term[:cut], query_term[cut:], *after) for cut in range(1, len(query_term)))
        yield from ((*before, query_term[:cut], query_term[cut + 1 :], *after) for cut in range(1, len(query_term) - 1))
        if not after:
            continue
        joined = query_term + after[0]
        yield (*before, joined, *after[1:])
        moved = {len(query_term) - 1, len(query_term) + 1} - {0, len(joined)}
        yield from ((*before, joined[:cut], joined[cut:], *after[1:]) for cut in sorted(moved))
