"""The tools as a server of the Model Context Protocol, and its connection to standard input and output.

A refusal is an error of the tool, which the agent reads, and no error of the protocol.
"""

import logging
import secrets
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ToolDescription

from tessera_gql.agents.reading import Caller
from tessera_gql.agents.results import Result, ToolError, bound_text, encode
from tessera_gql.agents.tools import INSTRUCTIONS, TOOLS, Tool
from tessera_gql.client.errors import TesseraError

log = logging.getLogger(__name__)

MAX_MESSAGE = 4000
"""Characters of an error's message."""

FindCaller = Callable[[ServerRequestContext[Any, Any]], Caller]


def create_server(find_caller: FindCaller) -> Server[Any]:
    """Create a server with the tools; `find_caller` returns who calls a tool in a request."""
    tools = {tool.name: tool for tool in TOOLS}
    descriptions = [*map(describe_tool, TOOLS)]

    async def list_tools(_context: object, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=descriptions)

    async def call_tool(context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        if (tool := tools.get(params.name)) is None:
            message = f"There is no tool {bound_text(params.name, 80)!r}. There are {', '.join(tools)}."
            raise MCPError(INVALID_PARAMS, message)
        try:
            return build_result(await tool.call(find_caller(context), params.arguments))
        except ToolError as error:
            return build_error(error.code, error.message)
        except TesseraError as error:
            return build_error(getattr(error, "code", _find_code(error)), error.message, getattr(error, "field", ()))
        except Exception:
            reference = secrets.token_hex(6)
            log.exception("Tool %s failed, reference %s", tool.name, reference)
            return build_error("INTERNAL", f"The tool failed. Report reference {reference}, or try again later.")

    return Server(
        "tessera",
        version=version("tessera-gql"),
        title="Tessera GQL",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def describe_tool(tool: Tool) -> ToolDescription:
    """Describe a tool as the protocol does."""
    hints = ToolAnnotations(
        read_only_hint=tool.is_read_only,
        destructive_hint=not tool.is_read_only,
        idempotent_hint=True,
        open_world_hint=False,
    )
    return ToolDescription(
        name=tool.name,
        description=tool.description,
        input_schema=tool.arguments.build_schema(),
        output_schema=tool.build_output_schema(),
        annotations=hints,
    )


def build_result(result: Result) -> CallToolResult:
    """Build the result of a tool: the structured value, and the same as text for clients that read only text."""
    return CallToolResult(content=[TextContent(type="text", text=encode(result))], structured_content=result)


def build_error(code: str, message: str, field: tuple[str, ...] = ()) -> CallToolResult:
    """Build the result of a refused call: the code and message of the API."""
    location = f" (field {'.'.join(field)})" if field else ""
    text = f"{code}: {bound_text(message, MAX_MESSAGE)}{location}"
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _find_code(error: TesseraError) -> str:
    """Return the code of an error that has none in the client, as the API has it."""
    return {"Unauthenticated": "UNAUTHENTICATED", "ServerFault": "INTERNAL"}.get(type(error).__name__, "BAD_REQUEST")


async def serve_stdio(caller: Caller) -> None:
    """Serve the tools over standard input and output until the input ends."""
    server = create_server(lambda _context: caller)
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())
