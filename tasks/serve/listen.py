"""The address that a server takes, before anything is imported that would answer there."""

from __future__ import annotations

import socket

from tasks.errors import Fatal


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises Fatal when that cannot be, as when another one does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise Fatal(
            f"{host} port {port} cannot be served: {error.strerror or error}",
            "Choose another with --port, or end the program that uses it.",
        ) from None


def address(host: str, port: int) -> str:
    """The URL of what listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
