"""What a search leaves behind, where it reads from a standby: taken to the primary in its own time.

A search never waits for the primary, nor fails with it: what finds no room in the queue, or no
primary, is counted and dropped. A query whose vector was dropped is embedded again next time.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from functools import lru_cache
from queue import Empty, Full, Queue
from threading import Lock, Thread

from psycopg import Connection, Error

from tasks.database import Pool
from tasks.errors import OpenbookError
from tasks.settings import Settings

_LOG = logging.getLogger(__name__)
_WAITING = 1000
_SECONDS = 5.0
"""How long one note may take, and how long the end of the process waits for the last of them."""

Note = Callable[[Connection], None]


class Notes:
    """A queue of what is to be written, and a thread that writes it while there is any."""

    def __init__(self, settings: Settings) -> None:
        self._pool = Pool(settings, 1, seconds=_SECONDS, application_name="openbook search notes")
        self._queue: Queue[Note] = Queue(_WAITING)
        self._lock = Lock()
        self._thread: Thread | None = None
        self.dropped = 0
        atexit.register(self.flush)

    def leave(self, note: Note) -> None:
        """Have it written soon."""
        try:
            self._queue.put_nowait(note)
        except Full:
            self._drop("too many wait")
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._write, name="search-notes", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Wait until what was left is written, or for some seconds."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(_SECONDS)

    def _write(self) -> None:
        while True:
            with self._lock:
                try:
                    note = self._queue.get_nowait()
                except Empty:
                    self._thread = None
                    return
            try:
                self._pool.run(note)
            except (OpenbookError, Error) as error:
                self._drop(str(error))

    def _drop(self, why: str) -> None:
        self.dropped += 1
        _LOG.warning("%d searches were not written down: %s", self.dropped, why)


@lru_cache(maxsize=4)
def notes_of(settings: Settings) -> Notes:
    """The notes of everybody in this process who searches under these settings."""
    return Notes(settings)
