"""Files of conversations into the database: streamed, in parallel where it pays, each line once."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from psycopg import Connection

from tasks.conversations.block import Outcome, Rejection, load_block, submit, workers
from tasks.conversations.files import DAMAGED, Block, blocks, open_file
from tasks.conversations.pseudonyms import pseudonyms
from tasks.database import hold, query
from tasks.errors import Rejected, Retryable
from tasks.settings import Settings

_MOST_REJECTIONS = 1000
_BLOCKS_BEFORE_PROCESSES = 4
"""A file of so few blocks is read faster than processes start."""


@dataclass(frozen=True, slots=True)
class Report:
    """What loading a file came to; conversations: `read` = `added` + `grown` + `unchanged`.

    `rejected` counts lines; `rejections` holds the first thousand of them. `reason` and `remedy`
    are set where nothing of the file could be used. `seconds` is wall time.
    """

    path: str
    format: str | None
    read: int
    added: int
    grown: int
    unchanged: int
    messages: int
    feedback: int
    rejected: int
    rejections: tuple[Rejection, ...]
    reason: str | None
    remedy: str | None
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every line of the file was used."""
        return self.reason is None and self.rejected == 0

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, ready for `json.dumps`."""
        return {**asdict(self), "rejections": [asdict(one) for one in self.rejections]}


def load(
    connection: Connection, settings: Settings, path: Path, format: str | None = None
) -> Report:
    """Load the conversations of a file, compressed or not, in any of the formats that are read.

    A conversation that is known as it stands adds nothing; one that grew is brought to its later
    state. What was loaded stays when this is cut off anywhere, and loading again ends in the same
    rows. `connection` must be in autocommit mode. Raises Retryable while another process loads the
    same file; whatever is wrong with the file itself is in the report.
    """
    started = time.perf_counter()
    path = path.absolute()
    with hold(connection, "conversations", str(path)) as held:
        if not held:
            raise Retryable(f"{path} is being loaded by another process", "Wait until it ends.")
        try:
            stat = path.stat()
            stream = open_file(path)
        except (OSError, Rejected) as error:
            return _refused(path, error, started)
        parameters = {
            "path": str(path),
            "format": format,
            "size": stat.st_size,
            "mtime": stat.st_mtime_ns,
        }
        row = connection.execute(query("load_start"), parameters).fetchone()
        assert row is not None
        outcome = Outcome()
        rejected = 0
        with stream:
            for done in _outcomes(connection, settings, _readable(stream), format, row[0]):
                outcome.stored.add(done.stored)
                outcome.formats |= done.formats
                rejected += len(done.rejections)
                room = _MOST_REJECTIONS - len(outcome.rejections)
                outcome.rejections += done.rejections[:room]
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").digest()
        outcome.rejections.sort(key=lambda one: one.line)
        return _finish(
            connection,
            row[0],
            path,
            outcome,
            rejected=rejected,
            sha256=sha256,
            started=started,
        )


def _readable(stream: Any) -> Iterator[Block | Rejection]:
    """The stream's blocks, and where decompression broke off, if it did."""
    last = 1
    try:
        for block in blocks(stream):
            last = block.lines[-1][0] + 1 if block.lines else last
            yield block
    except DAMAGED as error:
        told = str(error) or type(error).__name__
        yield Rejection(last, f"The file is damaged from here on: {told}", "Export it anew.")


def _outcomes(
    connection: Connection,
    settings: Settings,
    found: Iterator[Block | Rejection],
    format: str | None,
    load_file_id: int,
) -> Iterator[Outcome]:
    """What became of each block; a few are under way at once when there are many."""
    first = list(islice(found, _BLOCKS_BEFORE_PROCESSES))
    if len(first) < _BLOCKS_BEFORE_PROCESSES:
        names = pseudonyms(settings)
        for one in first:
            if isinstance(one, Rejection):
                yield Outcome(rejections=[one])
            else:
                yield load_block(connection, names, one, format, load_file_id)
        return
    under_way: deque[Future[Outcome]] = deque()
    with workers(settings, settings.parse_workers) as pool:
        for one in chain(first, found):
            if isinstance(one, Rejection):
                yield Outcome(rejections=[one])
                continue
            while len(under_way) > settings.parse_workers:
                yield under_way.popleft().result()
            under_way.append(submit(pool, one, format, load_file_id))
        while under_way:
            yield under_way.popleft().result()


def _refused(path: Path, error: Exception, started: float) -> Report:
    """The report on a file that cannot be opened."""
    if isinstance(error, Rejected):
        reason, remedy = error.message, error.remedy
    else:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "Give the path of a file that can be read."
    seconds = time.perf_counter() - started
    return Report(str(path), None, 0, 0, 0, 0, 0, 0, 0, (), reason, remedy, seconds)


def _finish(
    connection: Connection,
    load_file_id: int,
    path: Path,
    outcome: Outcome,
    *,
    rejected: int,
    sha256: bytes,
    started: float,
) -> Report:
    reason = remedy = None
    if not outcome.stored.read:
        first = outcome.rejections[0] if outcome.rejections else None
        reason = first.reason if first else "The file holds no conversation"
        remedy = first.remedy if first else "Give a file with one conversation a line."
    (format,) = outcome.formats if len(outcome.formats) == 1 else (None,)
    counts = asdict(outcome.stored)
    with connection.transaction():
        connection.execute(
            query("load_finish"),
            {
                "id": load_file_id,
                "format": format,
                "sha256": sha256,
                "status": "rejected" if reason else "loaded",
                "rejected": rejected,
                "reason": reason,
                "remedy": remedy,
                **counts,
            },
        )
        connection.execute(
            query("load_reject"),
            {
                "id": load_file_id,
                "lines": [one.line for one in outcome.rejections],
                "reasons": [one.reason for one in outcome.rejections],
                "remedies": [one.remedy for one in outcome.rejections],
            },
        )
    return Report(
        path=str(path),
        format=format,
        **counts,
        rejected=rejected,
        rejections=tuple(outcome.rejections),
        reason=reason,
        remedy=remedy,
        seconds=time.perf_counter() - started,
    )
