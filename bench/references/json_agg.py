"""Reference server at the limit: one hand-written statement, whose JSON text is the response."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessera_gql.store.engine import sqlite_path

URL = os.environ["DATABASE_URL"]
OPEN = "('PENDING', 'APPROVED', 'REJECTED')"

POSTGRESQL = f"""
SELECT json_build_object('data', json_build_object('assets', json_build_object('nodes', (
  SELECT json_agg(json_build_object(
    'fqn', a.fqn,
    'owner', json_build_object('name', o.name),
    'currentContract', CASE WHEN c.id IS NOT NULL THEN json_build_object(
      'version', c.version,
      'registrations', json_build_object('nodes', (
        SELECT coalesce(json_agg(json_build_object(
          'consumerTeam', json_build_object('name', t.name), 'status', r.status
        ) ORDER BY r.registered_at, r.id), '[]')
        FROM (
          SELECT id, registered_at, status, consumer_team_id FROM workflow.registrations
          WHERE asset_id = a.id ORDER BY registered_at, id LIMIT 10
        ) r JOIN core.teams t ON t.id = r.consumer_team_id
      ))
    ) END,
    'openProposal', CASE WHEN p.id IS NOT NULL
      THEN json_build_object('status', p.status, 'proposedVersion', p.proposed_version) END
  ) ORDER BY a.fqn_key, a.id)
  FROM (SELECT id, fqn, fqn_key, owner_team_id FROM core.assets ORDER BY fqn_key, id LIMIT 50) a
  JOIN core.teams o ON o.id = a.owner_team_id
  LEFT JOIN core.contracts c ON c.asset_id = a.id AND c.status = 'ACTIVE'
  LEFT JOIN workflow.proposals p ON p.asset_id = a.id AND p.status IN {OPEN}
))))::text
"""

SQLITE = f"""
SELECT json_object('data', json_object('assets', json_object('nodes', (
  SELECT json_group_array(json_object(
    'fqn', a.fqn,
    'owner', json_object('name', o.name),
    'currentContract', CASE WHEN c.id IS NOT NULL THEN json_object(
      'version', c.version,
      'registrations', json_object('nodes', (
        SELECT json_group_array(json_object('consumerTeam', json_object('name', t.name), 'status', r.status))
        FROM (
          SELECT status, consumer_team_id FROM registrations
          WHERE asset_id = a.id ORDER BY registered_at, id LIMIT 10
        ) r JOIN teams t ON t.id = r.consumer_team_id
      ))
    ) END,
    'openProposal', CASE WHEN p.id IS NOT NULL
      THEN json_object('status', p.status, 'proposedVersion', p.proposed_version) END
  ))
  FROM (SELECT id, fqn, owner_team_id FROM assets ORDER BY fqn_key, id LIMIT 50) a
  JOIN teams o ON o.id = a.owner_team_id
  LEFT JOIN contracts c ON c.asset_id = a.id AND c.status = 'ACTIVE'
  LEFT JOIN proposals p ON p.asset_id = a.id AND p.status IN {OPEN}
))))
"""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    if (file := sqlite_path(URL)) is None:
        async with asyncpg.create_pool(URL, min_size=8, max_size=8) as pool:
            app.state.read = lambda: pool.fetchval(POSTGRESQL)
            yield
    else:
        async with aiosqlite.connect(file) as connection:

            async def read() -> Any:
                async with connection.execute(SQLITE) as found:
                    return (await found.fetchone() or [None])[0]

            app.state.read = read
            yield


async def page(request: Request) -> Response:
    await request.body()
    return Response(await request.app.state.read(), media_type="application/json")


app = Starlette(routes=[Route("/graphql", page, methods=["POST"])], lifespan=lifespan)
