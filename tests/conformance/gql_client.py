"""The client `gql` in an environment of its own: gql_client.py URL [AUTHORIZATION]; like javascript_clients.mjs."""

import asyncio
import json
import sys
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import OperationDefinitionNode, OperationType


async def answer(url: str, headers: dict[str, str], document: str, variables: dict[str, Any]) -> Any:
    request = GraphQLRequest(document, variable_values=variables)
    (operation,) = (node for node in request.document.definitions if isinstance(node, OperationDefinitionNode))
    if operation.operation is not OperationType.SUBSCRIPTION:
        async with Client(transport=HTTPXAsyncTransport(url, headers=headers, timeout=30)) as session:
            return await session.execute(request)
    transport = WebsocketsTransport(url.replace("http", "ws", 1), init_payload=headers)
    async with Client(transport=transport) as session:
        async for message in session.subscribe(request):
            return message
    raise RuntimeError("ended without a message")


def main() -> None:
    url, *authorization = sys.argv[1:]
    headers = {"Authorization": authorization[0]} if authorization else {}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            reply = {"data": asyncio.run(answer(url, headers, asked["query"], asked["variables"]))}
        except TransportQueryError as error:
            reply = {"errors": error.errors}
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            reply = {"errors": [{"message": repr(error)}]}
        print(json.dumps(reply), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
