"""A proxy before PostgreSQL that sends a COMMIT on and loses its reply."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_BLOCK = 65536


class LossyProxy:
    """Forwards connections from one Unix socket to another, until the commit that is to be lost.

    Commits are counted over all connections, from 1. The connection of the lost one is closed when
    the server has answered, so that the commit has happened and its sender cannot know.
    """

    def __init__(self, server: Path, lose: int) -> None:
        self.commits = 0
        self._server = server
        self._lose = lose
        self._lock = threading.Lock()

    def forward(self, client: socket.socket) -> None:
        """Serve one connection until either side closes it."""
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server))
            lost = threading.Event()
            replies = threading.Thread(target=self._reply, args=(server, client, lost))
            replies.start()
            with suppress(OSError):
                while block := client.recv(_BLOCK):
                    if _COMMIT in block and self._is_lost():
                        lost.set()
                    server.sendall(block)
                    if lost.is_set():
                        break
            if not lost.is_set():
                server.shutdown(socket.SHUT_WR)
            replies.join()

    def _is_lost(self) -> bool:
        with self._lock:
            self.commits += 1
            return self.commits == self._lose

    def _reply(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while block := server.recv(_BLOCK):
                if lost.is_set():
                    break
                client.sendall(block)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def lossy_proxy(folder: Path, server: Path, lose: int) -> Iterator[LossyProxy]:
    """A proxy with its socket in `folder`, before the socket `server`."""
    proxy = LossyProxy(server, lose)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / server.name))
        listener.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=proxy.forward, args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
