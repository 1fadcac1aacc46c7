"""JSON text that is passed on unparsed."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RawJson:
    """JSON text that is not parsed yet because it is large, such as an uploaded manifest."""

    text: bytes = field(repr=False)
