"""Servers on loopback that aren't Tessera: what a client may find behind a wrong address."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

JSON, HTML, EVENTS = "application/json", "text/html", "text/event-stream"
FAULT = b'{"errors": [{"message": "It failed.", "extensions": {"code": "INTERNAL", "reference": "r-1"}}], "data": null}'
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "a web page": (200, HTML, b"<html>hello</html>"),
    "nothing there": (404, HTML, b"<html>not found</html>"),
    "a redirect": (302, HTML, b""),
    "a gateway": (502, HTML, b"<html>bad gateway</html>"),
    "another GraphQL": (200, JSON, b'{"data": {"__typename": "Query"}}'),
    "no object": (200, JSON, b'{"data": 7, "errors": ["x"]}'),
    "a server's fault": (200, JSON, FAULT),
    "a broken stream": (200, EVENTS, b': {"phase": 1}\n: {nonsense\n\nevent: complete\n\n'),
    "half a stream": (200, EVENTS, b'event: next\ndata: {"data": \n\n'),
}


class Handler(BaseHTTPRequestHandler):
    """A handler with one reply to every request."""

    protocol_version = "HTTP/1.1"
    answer = (200, HTML, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, kind, body = self.answer
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore clients with another protocol."""


@contextmanager
def answering(answer: tuple[int, str, bytes], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server with one reply to every request."""
    with Server(("127.0.0.1", 0), type("OneAnswer", (Handler,), {"answer": answer})) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def greeting(message: bytes) -> Iterator[int]:
    """The port of a server that isn't HTTP and speaks first, such as SMTP."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(message)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def tls(folder: Path) -> ssl.SSLContext:
    """A TLS context with an untrusted certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
