"""A TCP proxy that makes names hostile on their way to the client: in HTTP replies, event streams and WebSockets.

A marker and its replacement are equally long, so that no length in a header or a frame has to change. What the server
would refuse to keep can be sent this way as well: a client must not rely on the server having refused it.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

CHUNK = 65536


@contextmanager
def rewriting(port: int, marker: bytes, replacement: bytes) -> Iterator[int]:
    """The port of a proxy that puts the replacement in place of the marker in the server's replies."""
    assert len(marker) == len(replacement)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                thread = threading.Thread(target=_send_requests, args=(self.request, server))
                thread.start()
                _rewrite_replies(server, self.request, marker, replacement)
                thread.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


def _send_requests(client: socket.socket, server: socket.socket) -> None:
    """Ask for replies without compression, which could not be rewritten; a client sends its headers in one piece."""
    with suppress(OSError):
        while chunk := client.recv(CHUNK):
            server.sendall(chunk.replace(b"Accept-Encoding", b"X-No-Compressio"))
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _rewrite_replies(server: socket.socket, client: socket.socket, marker: bytes, replacement: bytes) -> None:
    pending = b""
    with suppress(OSError):
        while chunk := server.recv(CHUNK):
            pending = (pending + chunk).replace(marker, replacement)
            overlap = next((size for size in range(len(marker) - 1, 0, -1) if pending.endswith(marker[:size])), 0)
            ready, pending = pending[: len(pending) - overlap], pending[len(pending) - overlap :]
            client.sendall(ready)
        client.sendall(pending)
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
