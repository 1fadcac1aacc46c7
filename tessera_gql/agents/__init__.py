"""Tools of the Model Context Protocol for agents: calls of the client, with the rights of the caller's key.

`tools` describes them and needs no package of the protocol; `protocol` and `endpoint` serve them with the extra `mcp`.
"""

import importlib.util

INSTALL_HINT = "Install it with pip install 'tessera-gql[mcp]'"


def is_installed() -> bool:
    """Return whether the extra `mcp` is installed."""
    return importlib.util.find_spec("mcp") is not None
