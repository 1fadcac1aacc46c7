"""Execute mutations with graphql-core, and what they select of their payloads level by level."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, cast

from graphql import GraphQLObjectType, OperationType
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from tessera_gql.executor.levels import PlanExecution
from tessera_gql.executor.plan import Plan, Step
from tessera_gql.executor.reference import ReferenceExecutor
from tessera_gql.executor.variables import CoercedVariables

log = logging.getLogger("tessera_gql.executor")


class MutationExecutor(ReferenceExecutor):
    """Runs the resolvers of mutations as graphql-core does: one after the other, each once, with its own errors.

    The selection of a payload is executed by a plan. If that fails, graphql-core executes it again: it only reads.
    """

    def __init__(
        self,
        *arguments: Any,
        find_plan: Callable[[VariableValues], Plan],
        reset: Callable[[], Awaitable[None]],
        **options: Any,
    ) -> None:
        """Create an executor; `reset` discards what the context has loaded for a plan."""
        super().__init__(*arguments, **options)
        self._find_plan = find_plan
        self._reset = reset

    def collect_and_execute_subfields(
        self, return_type: GraphQLObjectType, field_details_list: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        """Execute the selection of an object, by a plan if it is a payload."""
        execute = super().collect_and_execute_subfields
        if path.prev is not None or self.operation.operation is not OperationType.MUTATION:
            return execute(return_type, field_details_list, path, result, position_context)

        async def execute_payload() -> dict[str, Any]:
            try:
                return await self._execute_plan(return_type, str(path.key), result)
            except Exception as error:  # noqa: BLE001 - graphql-core reports every error
                log.debug("The plan was given up because of %s", type(error).__name__)  # the text could leak a value
            await self._reset()
            payload = execute(return_type, field_details_list, path, result, position_context)
            return await payload if isawaitable(payload) else payload

        return execute_payload()

    async def _execute_plan(self, payload_type: GraphQLObjectType, key: str, payload: Any) -> dict[str, Any]:
        plan = self._find_plan(self.variable_values)
        execution = PlanExecution(plan, self.context_value, CoercedVariables(self.variable_values))
        step = cast("Step", plan.root.members[key])
        (completed,) = await execution.execute_level(step.selection_for(payload_type), [payload])
        return completed
