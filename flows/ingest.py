"""Keep the book in step with a folder: scan it, read what moved, embed what is new, publish.

One run a source at a time. The walk is one task run; the files that moved are taken in batches, a
task run each, of which a few are under way at once: while one is parsed by child processes, another
is embedded or published.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Annotated, Any

from prefect import flow, task
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.runtime import task_run
from prefect.task_runners import TaskRunner
from psycopg import OperationalError
from pydantic import Field

from flows.ingest_page import leave_page
from flows.runners import batches_ahead, task_runner
from flows.trouble import explained, may_pass, stand_back
from tasks.database import connect, hold
from tasks.embedders import Embedder, open_embedder
from tasks.errors import Fatal
from tasks.ingest.embed import embed, missing_texts, serving_model
from tasks.ingest.parse import ParserPool
from tasks.ingest.publish import index, publish
from tasks.ingest.read import Reader, read_batch
from tasks.ingest.runs import (
    count_scan,
    finish_run,
    load_run,
    register_source,
    running_since,
    start_run,
)
from tasks.ingest.scan import Scan, scan
from tasks.ingest.store import pending_documents, pending_ids
from tasks.ingest.writer import open_writer
from tasks.settings import Settings, current

_GRACE_SECONDS = 3.0


@flow(name="ingest", flow_run_name="ingest {folder}")
def ingest(
    folder: Annotated[str, Field(min_length=1)],
    collection: str | None = None,
    language: str | None = None,
    readers: list[str] | None = None,
    allow_mass_delete: bool = False,
) -> dict[str, Any]:
    """Bring the documents of a folder up to date, and report what was done.

    Args:
        folder: The folder whose files are to be searchable; registered as a source on first use.
        collection: The collection that its documents belong to; of a new folder, default.
        language: The text search configuration of its documents, such as german; of a new folder,
            english.
        readers: Users and groups who may read what no sidecar file in the folder speaks of; public
            is everybody. Left out: as before, and of a new folder nobody but the owner.
        allow_mass_delete: Go on although the folder lost most of its documents.
    """
    settings = current()
    embedder = _embedder()  # takes a moment, which whoever holds the source should not
    with explained(), connect(settings, autocommit=True) as connection:
        source = register_source(connection, Path(folder), collection, language, readers)
        with hold(connection, "ingest", source.id) as held:
            if not held:
                ended: dict[str, Any] = stand_back(
                    f"{source.root} is held by {running_since(connection, source.id)}",
                    "Wait until that run ends; one run a source works at a time.",
                )
                return ended
            model_id = serving_model(connection, embedder)
            run = start_run(connection, source.id, model_id)
            # Leaving a runner waits for its batches: what ends the run is written down before.
            with ExitStack() as runners:
                try:
                    scanned = scan_folder(source.id, source.root, allow_mass_delete)
                    count_scan(connection, run.id, scanned)
                    if pending := pending_ids(connection, source.id):
                        runner = runners.enter_context(task_runner(settings))
                        _ingest_batches(run.id, pending, runner, settings)
                    index(connection, model_id)
                except BaseException as error:
                    if isinstance(error, TerminationSignal):
                        _end_soon()
                    with suppress(OperationalError):  # the next run will say that this one has died
                        finish_run(connection, run.id, error=str(error) or type(error).__name__)
                    raise
            report = finish_run(connection, run.id)
        leave_page(connection, source, run, report)
    return report.as_json()


def _end_soon() -> None:
    """End this process, which was told to end, though it and its threads wait for others.

    What they do may be cut off anywhere: nothing is lost, and the next run carries on.
    """
    timer = Timer(_GRACE_SECONDS, os._exit, [128 + signal.SIGTERM])
    timer.daemon = True
    timer.start()


def _batch_name() -> str:
    return f"ingest {len(task_run.parameters['document_ids'])} files"


@task(name="scan", task_run_name="scan {root}")
def scan_folder(source_id: int, root: str, allow_mass_delete: bool) -> Scan:
    """Walk the folder and mark in the database what is to be read and what is gone."""
    settings = current()
    with connect(settings) as connection:
        return scan(
            connection,
            source_id,
            Path(root),
            recipe=_reader().recipe,
            max_bytes=settings.file_megabytes << 20,
            max_delete_share=None if allow_mass_delete else settings.max_delete_share,
        )


@task(
    name="ingest batch",
    task_run_name=_batch_name,
    retries=3,
    retry_delay_seconds=[2, 10, 30],
    retry_jitter_factor=0.5,
    retry_condition_fn=may_pass,
)
def ingest_batch(run_id: int, document_ids: list[int]) -> None:
    """Read, embed and publish those of the documents that are still pending."""
    with connect(current()) as connection:
        run = load_run(connection, run_id)
        pending = pending_documents(connection, document_ids)
        batch = read_batch(connection, run, pending, _reader())
        contents = [content_id for _, content_id in batch.contents]
        missing = missing_texts(connection, run.model_id, contents)
        purchase = embed(connection, _embedder(), run.model_id, missing)
        publish(connection, run_id, batch.contents, batch.refusals, purchase)


def _ingest_batches(
    run_id: int, document_ids: Sequence[int], runner: TaskRunner[Any], settings: Settings
) -> None:
    """Run the batches, a few submitted ahead; all of them end before the first error is told."""
    under_way: deque[PrefectFuture[Any]] = deque()
    errors: list[BaseException] = []

    def settle() -> None:
        outcome = under_way.popleft().result(raise_on_failure=False)
        if isinstance(outcome, BaseException):
            errors.append(outcome)

    for ids in _batches(document_ids, settings.batch_files):
        if len(under_way) == batches_ahead(settings):
            settle()
        if any(isinstance(error, Fatal) for error in errors):
            break
        batch = {"run_id": run_id, "document_ids": ids}
        under_way.append(runner.submit(ingest_batch, parameters=batch))
    while under_way:
        settle()
    if errors:
        raise errors[0]


def _batches(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, size)):
        yield batch


@cache
def _embedder() -> Embedder:
    return open_embedder(current())


@cache
def _reader() -> Reader:
    settings = current()
    gc.set_threshold(50_000)  # elements and chunks come by the ten thousand, and hold no cycles
    lasting = ExitStack()
    atexit.register(lasting.close)
    pool = lasting.enter_context(ParserPool(settings))
    return Reader(pool, _embedder().tokenizer, settings, open_writer(settings))
