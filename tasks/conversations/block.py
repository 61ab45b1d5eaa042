"""One block of a file's lines into the database, here or in a process of its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from psycopg import Connection

from tasks.conversations.encode import Encoded, encode
from tasks.conversations.files import LONGEST_LINE, Block
from tasks.conversations.parse import parse
from tasks.conversations.pseudonyms import Pseudonyms, pseudonyms
from tasks.conversations.readers import read
from tasks.conversations.store import Stored, store
from tasks.database import connect
from tasks.errors import Rejected, Retryable
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Rejection:
    """One line that could not be used: why, and what its owner can do about it."""

    line: int
    reason: str
    remedy: str


@dataclass(slots=True)
class Outcome:
    """What a block, or a file, came to."""

    stored: Stored = field(default_factory=Stored)
    rejections: list[Rejection] = field(default_factory=list)
    formats: set[str] = field(default_factory=set)


def load_block(
    connection: Connection,
    names: Pseudonyms,
    block: Block,
    format: str | None = None,
    load_file_id: int | None = None,
) -> Outcome:
    """Store the block's conversations; a line that cannot be used is named, the others go on."""
    outcome = Outcome()
    batches: dict[str, dict[bytes, Encoded]] = {}

    def flush(found: str) -> None:
        batch = batches.pop(found, {})
        if batch:
            outcome.stored.add(store(connection, list(batch.values()), found, load_file_id))

    for number in block.too_long:
        outcome.rejections.append(
            Rejection(
                number,
                f"The line is longer than {LONGEST_LINE >> 20} MB",
                "Give one conversation a line.",
            )
        )
    for number, line in block.lines:
        try:
            found, conversations = read(parse(line), format)
            encoded = [encode(conversation, names) for conversation in conversations]
        except Rejected as error:
            outcome.rejections.append(Rejection(number, error.message, error.remedy))
            continue
        outcome.formats.add(found)
        for one in encoded:
            one.line = number
            batch = batches.setdefault(found, {})
            if one.identity in batch:  # another state of it, which may be the later one
                flush(found)
                batch = batches.setdefault(found, {})
            batch[one.identity] = one
    for found in list(batches):
        flush(found)
    return outcome


@dataclass(frozen=True, slots=True)
class _Worker:
    connection: Connection
    names: Pseudonyms


_worker: list[_Worker] = []


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that load blocks, each with a connection of its own; they die with this one.

    Raises Retryable where one of them is killed.
    """
    with ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_start, initargs=(settings,)
    ) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise Retryable(
                "A process that loaded conversations was killed",
                "See whether memory is short: OPENBOOK_PARSE_WORKERS sets how many there are. Run "
                "it again: what was loaded is kept.",
            ) from None


def submit(
    pool: ProcessPoolExecutor, block: Block, format: str | None, load_file_id: int
) -> Future[Outcome]:
    """Load the block in one of the processes."""
    return pool.submit(_load, block, format, load_file_id)


def _start(settings: Settings) -> None:
    gc.disable()  # what a line is parsed into has no cycles, and a million tuples cost many sweeps
    parent = parent_process()
    if parent is not None:
        Thread(target=_die_with, args=(parent,), daemon=True).start()
    connection = connect(settings, autocommit=True, application_name="openbook conversations load")
    _worker.append(_Worker(connection, pseudonyms(settings)))


def _die_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _load(block: Block, format: str | None, load_file_id: int) -> Outcome:
    (worker,) = _worker
    return load_block(worker.connection, worker.names, block, format, load_file_id)
