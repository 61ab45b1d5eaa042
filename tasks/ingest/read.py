"""From pending documents to stored contents: stage, parse, chunk, add contexts, store."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection

from tasks.embedders import Tokenizer
from tasks.errors import Fatal, Killed, OpenbookError, Rejected, Retryable
from tasks.ingest.chunk import CHUNKER_VERSION, chunk
from tasks.ingest.context import CONTEXT_VERSION, add_contexts, body_limit
from tasks.ingest.parse import HEAD_BYTES, PARSER_VERSION, ParserPool, format_of
from tasks.ingest.publish import Refusal
from tasks.ingest.runs import Run
from tasks.ingest.stage import stage
from tasks.ingest.store import ContentKey, Pending, Reading, known_contents, store
from tasks.ingest.writer import ContextWriter
from tasks.settings import Settings

_NEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch: (document id, content id) of what was read, and the refusals."""

    contents: tuple[tuple[int, int], ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Staged:
    """A private copy of a file, and the identity of the content that it will become."""

    document_id: int
    copy: Path
    key: ContentKey


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs: parser processes, the embedding model's tokenizer, the settings.

    `writer` writes contexts of the chunks; None: they go without.
    """

    pool: ParserPool
    tokenizer: Tokenizer
    settings: Settings
    writer: ContextWriter | None = None

    @property
    def recipe(self) -> str:
        """Everything, besides a file's bytes, that decides how its chunks come out."""
        recipe = (
            f"parser {PARSER_VERSION}, chunker {CHUNKER_VERSION}, "
            f"{self.tokenizer.name}, {self.settings.chunk_tokens} tokens"
        )
        if self.writer is None:
            return recipe
        return f"{recipe}, contexts {CONTEXT_VERSION} by {self.writer.model}"

    @property
    def chunk_tokens(self) -> int:
        """The largest chunk before a context is added to it."""
        limit = self.settings.chunk_tokens
        return limit if self.writer is None else body_limit(limit)


def read_batch(
    connection: Connection, run: Run, pending: Sequence[Pending], reader: Reader
) -> Batch:
    """Read the pending documents and commit what they say, seen by nobody yet.

    A content that the collection has read before (a copy, a restored file) is not read again. A
    document that cannot be read is a refusal, and the others go on.
    """
    with staging(reader.settings.home) as folder:
        staged, refusals = stage_all(Path(run.root), pending, folder, reader)
        known = known_contents(connection, run.source_id, {file.key for file in staged})
        unread = {file.key: file.copy for file in staged if file.key not in known}
        readings, failures = read_files(unread, reader)
    if reader.writer is not None:
        readings = add_contexts(
            connection,
            run,
            readings,
            reader.writer,
            tokenizer=reader.tokenizer,
            limit=reader.settings.chunk_tokens,
        )
    store(connection, run.source_id, readings)
    known |= known_contents(connection, run.source_id, [reading.key for reading in readings])
    connection.commit()
    contents = tuple((file.document_id, known[file.key]) for file in staged if file.key in known)
    refusals += [
        Refusal(file.document_id, failures[file.key]) for file in staged if file.key in failures
    ]
    return Batch(contents, tuple(refusals))


def read_files(
    files: dict[ContentKey, Path], reader: Reader
) -> tuple[list[Reading], dict[ContentKey, OpenbookError]]:
    """Parse and chunk each file, side by side; the readings, and the errors of the others."""

    def read(item: tuple[ContentKey, Path]) -> Reading | OpenbookError:
        key, path = item
        try:
            document = reader.pool.parse(path, key.format)
            chunks = chunk(document, reader.tokenizer, reader.chunk_tokens)
        except (Rejected, Retryable) as error:
            return error
        except Fatal:
            raise
        except Exception as error:  # a fault of ours, which must cost this file alone
            return Killed(f"Openbook failed on it ({error!r})", "Report it, with the file.")
        return Reading(key, document, chunks)

    with ThreadPoolExecutor(reader.settings.parse_workers) as threads:
        outcomes = dict(zip(files, threads.map(read, files.items()), strict=True))
    readings = [outcome for outcome in outcomes.values() if isinstance(outcome, Reading)]
    errors = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Exception)}
    return readings, errors


@contextmanager
def staging(home: Path) -> Iterator[Path]:
    """A private folder for copies of files, locked while it is in use.

    What killed runs left is swept: their locks died with them. No clock is asked, since one that
    jumps would sweep what others are at work on.
    """
    folder = home / "staging"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as name, _locked(Path(name)):
        own = Path(name)
        for left in folder.iterdir():
            with suppress(OSError):  # it is locked, or gone
                # One that is as new as this one may be about to be locked.
                if own.stat().st_mtime - left.stat().st_mtime > _NEW_SECONDS:
                    with _locked(left):
                        shutil.rmtree(left, ignore_errors=True)
        yield own


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; raises BlockingIOError where another process does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def stage_all(
    root: Path, pending: Sequence[Pending], folder: Path, reader: Reader
) -> tuple[list[Staged], list[Refusal]]:
    """Copy the pending files into `folder`; the copies, and the refusals of the others."""

    def stage_one(one: Pending) -> Staged | Refusal:
        try:
            copy = stage(root, one.path, one.sha256, folder / str(one.document_id))
            with copy.open("rb") as file:
                format = format_of(Path(one.path), file.read(HEAD_BYTES))
        except (Rejected, Retryable) as error:
            return Refusal(one.document_id, error)
        return Staged(one.document_id, copy, ContentKey(one.sha256, format, one.recipe))

    with ThreadPoolExecutor(reader.settings.parse_workers) as threads:
        outcomes = list(threads.map(stage_one, pending))
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Staged)],
        [outcome for outcome in outcomes if isinstance(outcome, Refusal)],
    )
