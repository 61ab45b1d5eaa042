"""Connections that threads share: so many, kept open, replaced when the server ended them."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from typing import TypeVar

from psycopg import Connection, InterfaceError, OperationalError
from psycopg.errors import QueryCanceled

from tasks.database.connection import connect
from tasks.database.pooler import pooled
from tasks.errors import Retryable
from tasks.settings import Settings

Answer = TypeVar("Answer")


class Pool:
    """At most `size` connections in autocommit mode, each opened when it is first needed.

    A statement that runs longer than `seconds` is cancelled by the server.
    """

    def __init__(
        self, settings: Settings, size: int, *, seconds: float, application_name: str = "openbook"
    ) -> None:
        self._settings = settings
        self._seconds = seconds
        self._name = application_name
        self._places = BoundedSemaphore(size)
        self._idle: LifoQueue[Connection] = LifoQueue()
        self._pooled = False

    def run(self, read: Callable[[Connection], Answer]) -> Answer:
        """What `read` returns for a connection of its own; read again if the server ended it.

        Raises Retryable when no connection is free within the pool's seconds, when the database
        cannot be reached, and when it went away twice; and what `read` raises otherwise, among it
        psycopg's QueryCanceled for a statement that took too long.
        """
        lost: Exception | None = None
        for _ in range(2):
            with self._lend() as connection:
                try:
                    with self._bounded(connection):
                        return read(connection)
                except QueryCanceled:
                    raise
                except (OperationalError, InterfaceError) as error:
                    if not connection.closed:
                        raise
                    lost = error
        raise Retryable(f"the database went away: {str(lost).strip()}", "Try again.")

    @contextmanager
    def _lend(self) -> Iterator[Connection]:
        if not self._places.acquire(timeout=self._seconds):
            raise Retryable("all connections to the database are in use", "Try again.")
        try:
            connection = self._take() or self._open()
            try:
                yield connection
            except BaseException:
                if not connection.closed and connection.info.transaction_status:
                    connection.close()  # in whatever state it is, nobody else shall find it
                raise
            finally:
                if not connection.closed:
                    self._idle.put(connection)
        finally:
            self._places.release()

    def _take(self) -> Connection | None:
        """An idle connection that the server has not ended; a look at its socket tells."""
        while True:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                return None
            if not select.select([connection.fileno()], [], [], 0)[0]:
                return connection
            connection.close()

    @contextmanager
    def _bounded(self, connection: Connection) -> Iterator[None]:
        """Behind a pooler a session's settings are everybody's: there, one transaction's."""
        if not self._pooled:
            yield
            return
        with connection.transaction():
            self._limit(connection, local=True)
            yield

    def _open(self) -> Connection:
        connection = connect(self._settings, autocommit=True, application_name=self._name)
        self._pooled = pooled(connection)
        if not self._pooled:
            self._limit(connection, local=False)
        return connection

    def _limit(self, connection: Connection, *, local: bool) -> None:
        milliseconds = f"{self._seconds * 1000:.0f}"
        connection.execute("select set_config('statement_timeout', %s, %s)", [milliseconds, local])

    def close(self) -> None:
        """Close the idle connections."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return
