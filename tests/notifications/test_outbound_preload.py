"""A server loads what its first post needs before its event loop runs."""

import subprocess
import sys

PROGRAM = """
import asyncio, http.server, sys, threading
import httpx
from tessera_gql.notifications import outbound_http

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

async def post(address):
    async with httpx.AsyncClient(verify=outbound_http.tls_context(), trust_env=False) as client:
        return (await client.post(address)).status_code

server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
outbound_http.preload()
assert outbound_http.tls_context.cache_info().currsize == 1
before = set(sys.modules)
assert asyncio.run(post(f"http://127.0.0.1:{server.server_port}/")) == 204
print(*sorted(set(sys.modules) - before))
"""


def test_the_first_post_imports_hardly_anything_after_the_preload() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert not [name for name in run.stdout.split() if name.startswith(("httpcore", "h11", "ssl", "anyio._backends"))]
