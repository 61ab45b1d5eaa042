"""A proxy before PostgreSQL that loses the reply of a COMMIT, goes silent, or refuses."""

from __future__ import annotations

import select
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


class SilentProxy:
    """Forwards connections from one Unix socket to another, as long as it is let.

    Silent, it holds every connection open and forwards nothing either way: neither side can tell.
    Closed, it ends all of them and lets nobody in.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self._server = server
        self._silent = threading.Event()
        self._closed = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / server.name))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def fall_silent(self) -> None:
        """Forward nothing any more."""
        self._silent.set()

    def close(self) -> None:
        """End every connection, and refuse new ones."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._forward, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server))
            other = {client: server, server: client}
            while not self._closed.is_set():
                ready, _, _ = select.select(list(other), [], [], 0.02)
                for end in ready if not self._silent.is_set() else ():
                    block = end.recv(_BLOCK)
                    if not block:
                        return
                    other[end].sendall(block)
