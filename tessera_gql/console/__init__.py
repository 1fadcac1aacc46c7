"""The console: pages for people, each of which is one stored GraphQL operation and one template."""

from tessera_gql.console.login import LoginService
from tessera_gql.console.routes import create_console_routes
from tessera_gql.console.site import Console, create_console

__all__ = ["Console", "LoginService", "create_console", "create_console_routes"]
