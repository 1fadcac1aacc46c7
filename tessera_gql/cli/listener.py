"""The listening socket of API_HOST and API_PORT."""

import errno
import socket

from tessera_gql.cli.terminal import fail
from tessera_gql.config import Settings


def bind_listener(settings: Settings) -> socket.socket:
    """Bind the listening socket before anything else, so that an occupied port is reported first."""
    host, port = settings.api_host, settings.api_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except PermissionError as error:
        listener.close()
        raise fail(
            f"Can't listen on {host}:{port}: {error.strerror or error}. Ports below 1024 need a privilege:"
            " choose a higher API_PORT, for example 8000, and let a proxy listen on the low one."
        ) from None
    except OSError as error:
        listener.close()
        raise fail(f"Can't listen on {host}:{port}: {error.strerror or error}. {_advise(error, settings)}") from None
    return listener


def _advise(error: OSError, settings: Settings) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "No network interface of this machine has that address: check API_HOST."
    port = settings.api_port
    return f"Choose another port, for example API_PORT={port % 65535 + 1 if port else 8000}."
