"""Number subschemas by their meaning, across the compared documents.

Two subschemas get the same number if they are the same without annotations and every reference leads to subschemas of
the same number in turn, however often they recur. Numbers are assigned from the leaves upwards; subschemas on a cycle
of references are distinguished by partition refinement, which starts from the assumption that all of them are equal.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, count

from tessera_gql.diff.read.annotations import are_equal_without_annotations
from tessera_gql.diff.read.documents import Document
from tessera_gql.diff.read.forms import (
    ALL_TRAITS,
    FALSE_NUMBER,
    TRUE_NUMBER,
    Child,
    Form,
    NodeId,
    Part,
    read_form,
    read_part,
)
from tessera_gql.diff.read.refinement import refine

Forms = dict[NodeId, Form]


class MeaningNumbers:
    """The numbers of all subschemas, assigned on first use. A subschema with a negative number equals no other.

    The given documents are numbered together, so that their recursive parts are compared with each other. A reference
    that depends on the dynamic scope makes all schemas around it unequal, except wholly equal documents.
    """

    def __init__(self, documents: Sequence[Document] = ()) -> None:
        self.pending_documents = [*documents]
        self.numbers: dict[NodeId, int] = {}
        self.numbers_by_signature: dict[object, int] = {(): TRUE_NUMBER}
        self.traits: dict[int, int] = {TRUE_NUMBER: 0, FALSE_NUMBER: 0}
        self.fresh_numbers = count(2)
        self.unique_numbers = count(-1, -1)

    def number(self, document: Document, raw: object, pointer: str) -> int:
        """Return the number of a subschema."""
        part = read_part(document, raw, pointer)
        if isinstance(part, Part) and part.node_id not in self.numbers:
            documents, self.pending_documents = self.pending_documents, []
            roots = [read_part(peer, peer.raw, "") for peer in documents]
            self._assign([root for root in (*roots, part) if isinstance(root, Part)])
            self._equate_roots(documents)
        return self._number_of(part)

    def traits_of(self, number: int) -> int:
        """Return the traits of a meaning and of all it consists of."""
        return self.traits.get(number, ALL_TRAITS)

    def _equate_roots(self, documents: Sequence[Document]) -> None:
        """Give documents with dynamic references one number if they differ in annotations alone."""
        for left, right in combinations(documents, 2):
            if left.opaque and right.opaque and are_equal_without_annotations(left, right):
                old, new = (read_part(document, document.raw, "") for document in (left, right))
                if isinstance(old, Part) and isinstance(new, Part):
                    self.numbers[new.node_id] = self.numbers[old.node_id]

    def _number_of(self, child: Child) -> int:
        return child if isinstance(child, int) else self.numbers[child.node_id]

    def _is_pending(self, child: Child) -> bool:
        return isinstance(child, Part) and child.node_id not in self.numbers

    def _assign(self, stack: list[Part]) -> None:
        """Number the parts and all they consist of, children first."""
        forms: Forms = {}
        while stack:
            part = stack[-1]
            if part.node_id in self.numbers:
                stack.pop()
                continue
            form = forms.get(part.node_id) or self._read(part)
            if form is None:
                continue
            pending = [child for child in form.children() if isinstance(child, Part) and self._is_pending(child)]
            if part.node_id not in forms:
                forms[part.node_id] = form
                if pending:
                    stack += [child for child in pending if child.node_id not in forms]
                    continue
            stack.pop()
            if not pending:
                self._register(part.node_id, forms.pop(part.node_id))
        if forms:
            self._assign_cyclic(forms)

    def _read(self, part: Part) -> Form | None:
        """Read a form, or number the part at once if it has no children."""
        form = read_form(part)
        if form is None:
            self.numbers[part.node_id] = next(self.unique_numbers)
        elif not form.groups:
            self._register(part.node_id, form)
        else:
            return form
        return None

    def _register(self, node_id: NodeId, form: Form) -> None:
        """Number a form whose children have numbers."""
        if form.is_alias:
            self.numbers[node_id] = self._number_of(form.groups[0].children[0])
            return
        signature = form.signature(self._number_of)
        number = self.numbers_by_signature.get(signature)
        if number is None:
            number = self.numbers_by_signature[signature] = next(self.fresh_numbers)
            self.traits[number] = self._combine_traits(form)
        self.numbers[node_id] = number

    def _combine_traits(self, form: Form) -> int:
        return form.combine_traits(lambda child: self.traits_of(self._number_of(child)))

    def _assign_cyclic(self, forms: Forms) -> None:
        """Number the forms that are on a cycle of references or lead to one."""
        blocks = refine(forms, self.numbers)
        if blocks is None:
            self.numbers.update((node_id, next(self.unique_numbers)) for node_id in forms)
            return
        numbered = [(next(self.fresh_numbers), block) for block in blocks]
        for number, block in numbered:
            self.numbers.update(dict.fromkeys(block, number))
            self.traits[number] = 0
        for number, block in numbered:
            form = forms[block[0]]
            if not form.is_alias:
                self.numbers_by_signature.setdefault(form.signature(self._number_of), number)
        self._collect_traits(forms)

    def _collect_traits(self, forms: Mapping[NodeId, Form]) -> None:
        """Collect the traits of forms on cycles: what one of them has, all have that consist of it."""
        is_changed = True
        while is_changed:
            is_changed = False
            for node_id, form in forms.items():
                number = self.numbers[node_id]
                traits = self.traits[number] | self._combine_traits(form)
                is_changed = is_changed or traits != self.traits[number]
                self.traits[number] = traits
