"""One at a time: locks that are given back however their holder ends."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import Connection
from psycopg.pq import TransactionStatus

from tasks.database.pooler import require_own_session
from tasks.database.queries import query


@contextmanager
def hold(connection: Connection, *key: str | int) -> Iterator[bool]:
    """Hold the lock of that name, if no other connection does, for the length of the block.

    Yields whether it is held; never waits. The lock is the connection's: it outlasts transactions,
    and ends with the block or with the connection, however that ends. Within one connection the
    same lock may be held several times over. Raises Fatal behind a pooler, where it is nobody's.
    """
    number = _number(key)
    with connection.transaction():  # which ends here: what the block commits is committed
        require_own_session(connection)
        row = connection.execute("select pg_try_advisory_lock(%s)", [number]).fetchone()
    held = row is not None and row[0] is True
    try:
        yield held
    finally:
        if held and not connection.closed:
            if connection.info.transaction_status == TransactionStatus.INERROR:
                connection.rollback()
            with connection.transaction():
                connection.execute("select pg_advisory_unlock(%s)", [number])


def is_held(connection: Connection, *key: str | int) -> bool:
    """Whether a connection holds the lock of that name now; to ask takes nothing from anybody."""
    row = connection.execute(query("lock_held"), {"number": _number(key)}).fetchone()
    return row is not None and row[0] is True


def _number(key: tuple[str | int, ...]) -> int:
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def lock_file(file: Path) -> Iterator[int]:
    """Hold the lock on a file, waiting for it; yields the file's descriptor."""
    with open_file(file) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor


@contextmanager
def open_file(file: Path) -> Iterator[int]:
    """Open a private file for reading and writing, making it where it is missing; no link."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0 and os.fstat(descriptor).st_uid == 0:
            # Root may have come before the folder's own user.
            os.fchown(descriptor, file.parent.stat().st_uid, -1)
        yield descriptor
    finally:
        os.close(descriptor)
