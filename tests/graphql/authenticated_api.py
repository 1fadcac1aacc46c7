"""The API as its clients reach it: every call is authenticated by a stored key, or refused."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.config import Profile
from tessera_gql.executor import core_schema
from tessera_gql.graphql import context
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.server.http import Transport, Unauthenticated, execute
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import Project, Team, UsageSource
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import CreatedKey, KeyRequest


@dataclass
class AuthenticatedApi:
    """Calls with the token of a key, without a network."""

    database: Database
    keys: Authenticator

    async def authenticate(self, authorization: str | None) -> Identity:
        try:
            return await self.keys.identify(authorization)
        except InvalidCredential as error:
            raise Unauthenticated(str(error)) from None

    def transport(self) -> Transport:
        return Transport(
            schema=core_schema(schema),
            authenticate=self.authenticate,
            open_operation_context=lambda identity: context.Context(self.database, identity.actor),
            profile=Profile.LOCKED,
        )

    async def create_key(
        self, team: Team | None, *scopes: Scope, name: str = "ci", expires_at: datetime | None = None
    ) -> CreatedKey:
        async with self.database.write("tester") as session:
            asked = KeyRequest(name, scopes or (Scope.READ,), TeamRef(id=team.id) if team else None, expires_at)
            return await keys.create(session, ANONYMOUS, asked)

    async def create_project_key(self, project: Project, scope: Scope, name: str = "ci") -> CreatedKey:
        async with self.database.write("tester") as session:
            request = KeyRequest(name, (scope,), project=ProjectRef(id=project.id))
            return await keys.create(session, ANONYMOUS, request)

    async def create_usage_key(self, source: UsageSource, name: str = "loader") -> CreatedKey:
        async with self.database.write("tester") as session:
            request = KeyRequest(name, (Scope.EVIDENCE,), usage_source=UsageSourceRef(id=source.id))
            return await keys.create(session, ANONYMOUS, request)

    async def reply(self, token: str | None, query: str, **variables: Any) -> dict[str, Any]:
        """The whole reply; an error `UNAUTHENTICATED` when the credential is refused."""
        transport = self.transport()
        try:
            identity = await transport.authenticate(f"Bearer {token}" if token else None)
        except Unauthenticated as refusal:
            return {"errors": [{"message": str(refusal), "extensions": {"code": "UNAUTHENTICATED"}}]}
        return await execute(transport, query=query, variables=variables, identity=identity)

    async def data(self, token: str | None, query: str, **variables: Any) -> dict[str, Any]:
        reply = await self.reply(token, query, **variables)
        assert "errors" not in reply, reply["errors"]
        result: dict[str, Any] = reply["data"]
        return result


def authenticated_api(database: Database, **options: Any) -> AuthenticatedApi:
    api = AuthenticatedApi(database, Authenticator(database, **options))
    database.observe_commits(api.keys.on_commit)
    return api


def codes(reply: dict[str, Any], field: str | None = None) -> Collection[str]:
    """The codes of the refusal: of the whole request, of a root field, or in a mutation's payload."""
    top = [error["extensions"]["code"] for error in reply.get("errors", ())]
    payload = (reply.get("data") or {}).get(field) if field else None
    return [*top, *(error["code"] for error in (payload or {}).get("errors", ()))]
