"""The error for invalid or oversized documents."""


class SchemaError(ValueError):
    """An invalid or oversized document. `reason` is a message for clients; `limit` is the limit it exceeds."""

    def __init__(self, reason: str, *, pointer: str = "", limit: int | None = None, side: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer
        self.limit = limit
        self.side = side

    def with_side(self, side: str) -> "SchemaError":
        return SchemaError(self.reason, pointer=self.pointer, limit=self.limit, side=side)

    def __str__(self) -> str:
        where = f" (at {self.pointer})" if self.pointer else ""
        return (f"The {self.side} schema: " if self.side else "") + self.reason + where
