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
                # Compressed answers could not be rewritten.
                asking = (self.request, server, b"Accept-Encoding", b"X-No-Compressio")
                thread = threading.Thread(target=_pump, args=asking)
                thread.start()
                _pump(server, self.request, marker, replacement)
                thread.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


def _pump(source: socket.socket, target: socket.socket, marker: bytes, replacement: bytes) -> None:
    pending = b""
    with suppress(OSError):
        while chunk := source.recv(CHUNK):
            pending = (pending + chunk).replace(marker, replacement)
            overlap = next((size for size in range(len(marker) - 1, 0, -1) if pending.endswith(marker[:size])), 0)
            ready, pending = pending[: len(pending) - overlap], pending[len(pending) - overlap :]
            target.sendall(ready)
        target.sendall(pending)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
