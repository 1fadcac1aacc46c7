"""How frequent the terms of the search are, by which it chooses the shortest way to the hits, never the hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

UNSEEN_SHARE = 0.001
"""The share of documents that is assumed for terms without a figure."""

Group = Sequence[str]
"""Marked terms of which a document has at least one."""


@dataclass(frozen=True)
class TermFrequencies:
    """The number of documents, and the share of them that have a term, for the terms of a sample."""

    documents: int = 0
    shares: Mapping[str, float] = field(default_factory=dict[str, float])

    def estimate_documents(self, groups: Sequence[Group]) -> float:
        """Estimate how many documents have a term of each group, as if the groups were independent."""
        return self.documents * prod(self._estimate_share(group) for group in groups)

    def sort(self, groups: Sequence[Group]) -> list[Group]:
        """Return the groups in the order in which few documents remain early."""
        return sorted(groups, key=self._estimate_share)

    def choose_selective(self, sorted_groups: Sequence[Group], limit: int) -> Sequence[Group]:
        """Return the first of the groups, so many that they leave at most `limit` documents, or all of them."""
        for count in range(1, len(sorted_groups)):
            if self.shares and self.estimate_documents(sorted_groups[:count]) <= limit:
                return sorted_groups[:count]
        return sorted_groups

    def _estimate_share(self, group: Group) -> float:
        return min(1.0, sum(self.shares.get(term, 0.0) for term in group) or UNSEEN_SHARE)


@dataclass
class FrequencyCache:
    """What a process knows of the texts in a database, with the time of its end, in seconds of the monotonic clock."""

    frequencies: TermFrequencies = field(default_factory=TermFrequencies)
    expires_at: float = 0.0
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """A sample of the texts of assets by column, for the filter `contains`, which is read again at its own time."""
    texts_expire_at: float = 0.0
