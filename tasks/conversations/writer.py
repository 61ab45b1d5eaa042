"""The background thread that stores what applications log, and never stands in their way."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from weakref import WeakSet

from psycopg import Connection, OperationalError
from psycopg.types.json import Jsonb

from tasks.conversations.calls import Call, Threads
from tasks.conversations.encode import Encoded, encode
from tasks.conversations.pseudonyms import Pseudonyms, pseudonyms
from tasks.conversations.store import store
from tasks.conversations.values import Json, Kind
from tasks.database import connect, query
from tasks.errors import Rejected, Retryable
from tasks.settings import Settings, current

_AT_ONCE = 500
_WAIT_SECONDS = 0.2
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Feedback on the answer of a response id, else on the conversation of that id."""

    of: str
    kind: Kind
    value: float | None
    comment: str | None
    alternative: Json | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of what was offered: `dropped` found the queue full or no database in time,
    `failed` could not be stored whatever the database (a call without an answer, say)."""

    logged: int = 0
    dropped: int = 0
    failed: int = 0


class Writer:
    """A bounded queue and the thread that empties it into the database.

    `capacity` is how many calls wait at most. While the database is away they wait, and what comes
    when the queue is full is dropped and counted. A process that is forked has a queue, a thread
    and counts of its own.
    """

    def __init__(self, settings: Settings | None = None, capacity: int = 10_000) -> None:
        self._settings = settings
        self._capacity = capacity
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        self.counts = Counts()
        self._queue: Queue[Call | Judgement] = Queue(self._capacity)
        self._lock = Lock()
        self._thread: Thread | None = None
        self._closing = Event()
        self._connection: Connection | None = None
        self._names: Pseudonyms | None = None
        self._threads = Threads()

    def offer(self, one: Call | Judgement) -> None:
        """Take it if there is room; never waits, never raises."""
        try:
            self._queue.put_nowait(one)
        except Full:
            self._count(dropped=1)
            return
        if self._thread is None:
            self._start()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what was offered is stored or given up; whether it was within the seconds."""
        end = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)
        return not self._queue.unfinished_tasks

    def close(self, seconds: float = 5.0) -> None:
        """Flush, then end the thread; what is left then is dropped and counted."""
        self.flush(seconds)
        self._closing.set()
        self._count(dropped=self._queue.unfinished_tasks)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="openbook log", daemon=True)
                self._thread.start()

    def _count(self, **more: int) -> None:
        with self._lock:
            added = {name: getattr(self.counts, name) + count for name, count in more.items()}
            self.counts = replace(self.counts, **added)

    def _work(self) -> None:
        while not self._closing.is_set():
            batch = self._next()
            self._keep(batch)
            for _ in batch:
                self._queue.task_done()

    def _keep(self, batch: list[Call | Judgement]) -> None:
        """Store the batch, as soon as there is a database; what cannot be stored costs no other."""
        while batch and not self._closing.is_set():
            try:
                self._store(batch)
                return
            except (OperationalError, Retryable):
                self._disconnect()
                self._closing.wait(_PAUSE_SECONDS)
            except Exception:
                self._disconnect()
                if len(batch) == 1:
                    self._count(failed=1)
                    return
                for one in batch:
                    self._keep([one])
                return

    def _next(self) -> list[Call | Judgement]:
        """What waits, after a moment in which more of it may come."""
        try:
            batch = [self._queue.get(timeout=_WAIT_SECONDS)]
        except Empty:
            return []
        while len(batch) < _AT_ONCE:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch

    def _store(self, batch: list[Call | Judgement]) -> None:
        """Store all of it or nothing."""
        connection, names = self._ready()
        states: dict[bytes, Encoded] = {}
        failed = 0
        with connection.transaction():
            for one in batch:
                if isinstance(one, Judgement):
                    continue
                try:
                    state = encode(self._threads.conversation(one), names)
                except Rejected:
                    failed += 1
                    continue
                if state.identity in states:
                    store(connection, [states.pop(state.identity)], "log")
                states[state.identity] = state
            if states:
                store(connection, list(states.values()), "log")
            for one in batch:
                if isinstance(one, Judgement):
                    failed += not self._judge(connection, one)
        self._count(logged=len(batch) - failed, failed=failed)

    def _judge(self, connection: Connection, one: Judgement) -> bool:
        parameters = {
            "of": one.of,
            "kind": one.kind,
            "value": one.value,
            "comment": one.comment,
            "alternative": None if one.alternative is None else Jsonb(one.alternative),
            "source": one.source,
        }
        return connection.execute(query("log_feedback"), parameters).rowcount > 0

    def _ready(self) -> tuple[Connection, Pseudonyms]:
        if self._connection is None or self._connection.closed:
            settings = self._settings or current()
            self._names = pseudonyms(settings)
            self._connection = connect(settings, autocommit=True, application_name="openbook log")
        assert self._names is not None
        return self._connection, self._names

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_writers: WeakSet[Writer] = WeakSet()


def _begin_anew() -> None:
    """In a process that was forked: its threads are gone, and the connections are the parent's."""
    for writer in list(_writers):
        writer._begin()


os.register_at_fork(after_in_child=_begin_anew)
