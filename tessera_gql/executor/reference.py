"""The executor of graphql-core as Strawberry adapts it, which executes subscriptions and what plans don't support."""

from typing import Any, cast

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class ReferenceExecutor(StrawberryGraphQLCoreExecutionContext):
    """An executor without reference cycles: it is freed with its context and all loaded rows when it ends."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The helpers are methods of the executor, which would be a cycle. No resolver uses them.
        self.async_helpers = cast("Any", None)

    def build_per_event_executor(self, payload: Any) -> "ReferenceExecutor":
        """Create the executor of an event with its own collected fields, which otherwise remain for all events."""
        executor = cast("ReferenceExecutor", super().build_per_event_executor(payload))
        executor._relevant_sub_fields = {}  # noqa: SLF001 - there is no other way to forget them
        return executor
