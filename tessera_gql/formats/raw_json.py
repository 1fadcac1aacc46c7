"""JSON text that is passed on unparsed."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class RawJson:
    """JSON text that is not parsed yet because it is large, such as an uploaded manifest."""

    text: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """The hash of the text, which each transaction of a sync needs."""
        return hashlib.sha256(self.text).hexdigest()
