"""Hash subschemas by their meaning: what they assert, with references followed.

The numbers of meanings are those of one comparison. A digest is stored with a change and must be found again, so it
depends on neither annotations, the order of keys, the names of definitions, nor the position in the document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tessera_gql.diff.read.documents import Document
from tessera_gql.diff.read.forms import FALSE_NUMBER, TRUE_NUMBER, Form, Group, Part, read_form, read_part
from tessera_gql.diff.read.meaning import MeaningNumbers
from tessera_gql.diff.values.json import Json, canonical_json, compute_digest

MAX_CYCLE = 16
"""Meanings on cycles of references through each other that are digested by themselves, in two rounds for each.

So many rounds distinguish all of them. Larger cycles are digested together with the whole document, in linear time.
"""


@dataclass
class _Entry:
    """A meaning on the way to its digest, with the numbers of its children.

    `lowest` is the smallest index of an open entry to which it leads.
    """

    document: Document
    constants: str
    groups: list[tuple[Group, list[int]]]
    remaining: Iterator[tuple[int, Part]]
    number: int
    index: int
    lowest: int


class MeaningDigests:
    """The digests of all meanings, computed on first use, children first. Cycles of references are digested at once."""

    def __init__(self, meanings: MeaningNumbers) -> None:
        self.meanings = meanings
        self.digests = {TRUE_NUMBER: "true", FALSE_NUMBER: "false"}
        self.document_digests: dict[int, str] = {}

    def digest(self, document: Document, raw: object, pointer: str) -> str:
        """Return the digest of a subschema."""
        number = self.meanings.number(document, raw, pointer)
        if number not in self.digests:
            part = read_part(document, raw, pointer)
            self._visit(number, part)
        return self.digests[number]

    def _visit(self, number: int, start: "int | Part") -> None:
        """Digest a subschema and all it leads to: strongly connected components, depth first."""
        entries: dict[int, _Entry] = {}
        self._enter(number, start, entries)
        path = [*entries.values()]
        while path:
            entry = path[-1]
            number, part = next(entry.remaining, (entry.number, None))
            if part is None:
                path.pop()
                if path:
                    path[-1].lowest = min(path[-1].lowest, entry.lowest)
                if entry.lowest == entry.index:
                    self._close(entry, entries)
            elif number in entries:
                entry.lowest = min(entry.lowest, entries[number].index)
            elif number not in self.digests and self._enter(number, part, entries):
                path.append(entries[number])

    def _enter(self, number: int, child: "int | Part", entries: dict[int, _Entry]) -> bool:
        """Open the entry of a meaning. Returns False if its digest does not depend on those of children."""
        part, form = _read_behind_aliases(child)
        if part is None or form is None:
            self.digests[number] = "circle" if part is None else self._digest_opaque(part)
            return False
        groups = [(group, [*map(self._number, group.children)]) for group in form.groups]
        remaining = (
            (child_number, child)
            for group, numbers in groups
            for child_number, child in zip(numbers, group.children, strict=True)
            if isinstance(child, Part)
        )
        index = len(entries)
        constants = compute_digest(_to_json(form.constants))
        entries[number] = _Entry(part.document, constants, groups, remaining, number, index, index)
        return True

    def _number(self, child: "int | Part") -> int:
        return child if isinstance(child, int) else self.meanings.number(child.document, child.raw, child.pointer)

    def _close(self, first: _Entry, entries: dict[int, _Entry]) -> None:
        """Digest a component: one meaning, or all that lead to each other."""
        members = [*entries.values()][first.index :] if len(entries) - first.index > 1 else [first]
        for member in members:
            del entries[member.number]
        children = {number for member in members for _, numbers in member.groups for number in numbers}
        if len(members) == 1 and first.number not in children:
            self.digests[first.number] = self._digest_entry(first, {})
            return
        is_small = len(members) <= MAX_CYCLE
        colors = {member.number: "" if is_small else self._digest_document(member.document) for member in members}
        for _ in range(2 * len(members) if is_small else 2):
            colors = {member.number: self._digest_entry(member, colors) for member in members}
        self.digests |= colors

    def _digest_entry(self, entry: _Entry, colors: Mapping[int, str]) -> str:
        """Digest a meaning with the digests of its children, or the colors of those in the same component."""
        if not entry.groups:
            return entry.constants
        texts = [entry.constants]
        for group, numbers in entry.groups:
            labels = [colors.get(number) or self.digests.get(number, "") for number in numbers]
            texts += [f"{group.keyword}:", *group.signature(labels)]
        return compute_digest(" ".join(texts))

    def _digest_opaque(self, part: Part) -> str:
        """Digest a subschema whose meaning may depend on the whole document."""
        return compute_digest([self._digest_document(part.document), part.raw])

    def _digest_document(self, document: Document) -> str:
        digest = self.document_digests.get(id(document))
        if digest is None:
            digest = self.document_digests[id(document)] = compute_digest(document.raw)
        return digest


def _read_behind_aliases(child: "int | Part") -> tuple[Part | None, Form | None]:
    """Return the subschema that one stands for, with its form; no subschema if references lead in a circle."""
    visited = set[object]()
    while isinstance(child, Part) and child.node_id not in visited:
        form = read_form(child, _identify)
        if form is None or not form.is_alias:
            return child, form
        visited.add(child.node_id)
        child = form.groups[0].children[0]
    return None, None


def _identify(value: object, _: dict[int, int]) -> str:
    return canonical_json(value)


def _to_json(value: object) -> Json:
    """Convert constants of a form. Sets become sorted lists."""
    if isinstance(value, frozenset):
        return [*sorted(map(canonical_json, map(_to_json, value)))]
    if isinstance(value, tuple):
        return [*map(_to_json, value)]
    return value if isinstance(value, str | int) else None
