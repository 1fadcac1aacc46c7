"""Partition refinement: find which of the subschemas on cycles of references are equal."""

from collections.abc import Mapping

from tessera_gql.diff.read.forms import Child, Form, NodeId

MAX_EFFORT = 200_000
"""Children that one refinement may look at; about a tenth of a second."""


def refine(forms: Mapping[NodeId, Form], numbers: Mapping[NodeId, int]) -> list[list[NodeId]] | None:
    """Return blocks of equal forms, or None if it takes too much effort. `numbers` are those of all other children."""
    return _Refinement(forms, numbers).run()


class _Refinement:
    """Splits blocks of forms until the children of all forms in a block lie in the same blocks."""

    def __init__(self, forms: Mapping[NodeId, Form], numbers: Mapping[NodeId, int]) -> None:
        self.numbers = numbers
        self.effort = MAX_EFFORT
        self.targets = _follow_aliases(forms)
        self.forms = {node_id: forms[node_id] for node_id in set(self.targets.values())}
        self.block_of = dict.fromkeys(self.forms, 0)
        self.members = [{*self.forms}]
        self.parents: dict[NodeId, list[NodeId]] = {}
        for node_id, form in self.forms.items():
            for child in form.children():
                if not isinstance(child, int) and child.node_id in forms:
                    self.parents.setdefault(self.targets[child.node_id], []).append(node_id)

    def run(self) -> list[list[NodeId]] | None:
        touched = {*self.forms}
        while touched:
            by_block: dict[int, set[NodeId]] = {}
            for node_id in touched:
                by_block.setdefault(self.block_of[node_id], set()).add(node_id)
            splits = [(block, self._split(block, nodes)) for block, nodes in by_block.items()]
            if self.effort < 0:
                return None
            touched = {parent for block, groups in splits for group in groups for parent in self._move(block, group)}
        blocks = [[*block] for block in self.members]
        for node_id, target in self.targets.items():
            if node_id != target:
                blocks[self.block_of[target]].append(node_id)
        return blocks

    def _split(self, block: int, touched: set[NodeId]) -> list[list[NodeId]]:
        """Return the groups of touched forms that differ from those that stay in the block."""
        groups: dict[object, list[NodeId]] = {}
        for node_id in touched:
            groups.setdefault(self._signature(node_id), []).append(node_id)
        members = self.members[block]
        if len(touched) < len(members):
            staying = self._signature(next(node_id for node_id in members if node_id not in touched))
        else:
            staying = max(groups, key=lambda signature: len(groups[signature]))
        return [group for signature, group in groups.items() if signature != staying]

    def _move(self, block: int, group: list[NodeId]) -> list[NodeId]:
        """Move forms to a block of their own; return the forms that consist of them."""
        self.members[block].difference_update(group)
        self.block_of.update(dict.fromkeys(group, len(self.members)))
        self.members.append({*group})
        return [parent for node_id in group for parent in self.parents.get(node_id, ())]

    def _signature(self, node_id: NodeId) -> object:
        form = self.forms[node_id]
        self.effort -= 1 + sum(len(group.children) for group in form.groups)
        return form.signature(self._number_of)

    def _number_of(self, child: Child) -> int:
        """Return the number of a child, or a negative one for its block."""
        if isinstance(child, int):
            return child
        target = self.targets.get(child.node_id)
        # unique numbers are negative too, so blocks come after them
        return self.numbers[child.node_id] if target is None else BLOCKS - self.block_of[target]


BLOCKS = -(1 << 40)


def _follow_aliases(forms: Mapping[NodeId, Form]) -> dict[NodeId, NodeId]:
    """Map each form to the one that it stands for: itself, the end of a chain of aliases, or one of their circle."""
    targets: dict[NodeId, NodeId] = {}
    for start in forms:
        node_id, path = start, dict[NodeId, None]()
        while node_id not in targets and node_id not in path and forms[node_id].is_alias:
            path[node_id] = None
            child = forms[node_id].groups[0].children[0]
            if isinstance(child, int) or child.node_id not in forms:
                break
            node_id = child.node_id
        target = targets.setdefault(node_id, node_id)
        targets.update(dict.fromkeys(path, target))
    return targets
