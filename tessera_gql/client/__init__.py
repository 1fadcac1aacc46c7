"""SDK of Tessera GQL. Imports nothing of the server.

with TesseraClient() as tessera:                          # TESSERA_URL, TESSERA_API_KEY
    team = tessera.create_team("data-platform")
    orders = tessera.create_asset(fqn="analytics.marts.orders", owner_team_id=team.id)
    result = tessera.publish_contract(asset_id=orders.id, schema_def={…}, published_by=team)
    print(result.outcome)

async with TesseraClient() as tessera:                    # an AsyncTesseraClient
    async for event in tessera.subscribe(team_id=team.id):    # resumes after restarts, without gaps or repeats
        print(event.kind, event.cursor)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessera_gql.client.public import *  # noqa: F403 - the names that `__getattr__` finds
    from tessera_gql.client.public import __all__ as __all__


def __getattr__(name: str) -> Any:
    """Find a public name. The command line imports parts of the package, and starts fast without the others."""
    is_class = name[:1].isupper()  # anything else is a module of the package, or a name of Python
    public = import_module("tessera_gql.client.public") if is_class or name == "__all__" else None
    if not hasattr(public, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(public, name)
