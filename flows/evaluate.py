"""How well search answers questions whose answers are known: a test collection, or a golden set.

A test collection becomes a collection of its own, and stays, so that only what changed of it is
embedded the next time. Every mode is asked the same questions, several at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from psycopg import Connection

from flows.pages import key, name_run
from flows.trouble import explained
from tasks.database import connect, hold
from tasks.embedders import open_embedder
from tasks.errors import Rejected, Retryable
from tasks.evaluate.collection import corpus, judged
from tasks.evaluate.exam import Exam, Question
from tasks.evaluate.golden.store import golden_set
from tasks.evaluate.measures import Outcome, score
from tasks.evaluate.page import markdown
from tasks.evaluate.results import evaluation, store_evaluation
from tasks.ingest.embed import embed, missing_texts, serving_model
from tasks.ingest.entries import mark_given, read_given, recipe, register_given
from tasks.ingest.publish import index, publish
from tasks.ingest.runs import Source, finish_run, running_since, start_run
from tasks.ingest.store import pending_documents
from tasks.records import Entry
from tasks.retrieve.prepare import remember_queries
from tasks.retrieve.search import search
from tasks.settings import Settings, current

MODES = ("keyword", "dense", "hybrid", "hybrid+rerank")
_HITS = 200
"""Chunks asked for; what stands behind them is not found."""
_BATCH = 500
_ABREAST = min(8, os.cpu_count() or 1)


@flow(name="evaluate", flow_run_name="evaluate {folder}{golden}")
def evaluate(
    folder: str = "", golden: str = "", language: str = "", within: str = ""
) -> dict[str, Any]:
    """Ask every mode of search questions whose answers are known, and report how well it did.

    Args:
        folder: A test collection in the BEIR layout.
        golden: The name of a golden set in the database, in place of a folder.
        language: The text search configuration of the test collection; empty: found by its words.
        within: A question is asked among the documents that share its value of this metadata field.
    """
    settings = current()
    if folder:
        fill(folder, language)
    embedder = open_embedder(settings)
    with explained(), closing(connect(settings, autocommit=True)) as connection:
        exam = _exam(connection, folder, golden)
        serving_model(connection, embedder)
        remember_queries(connection, embedder, [one.text for one in exam.questions])
        outcomes = {mode: ask(mode, folder, golden, within) for mode in MODES}
        made = evaluation(exam, outcomes, model=embedder.name, reranker=_reranking().reranker)
        store_evaluation(connection, made)
    hybrid = made.modes["hybrid"].means["ndcg@10"]
    name_run(f"{exam.name}: {len(exam.questions):,} questions, hybrid nDCG@10 {hybrid:.3f}")
    create_markdown_artifact(
        key=key("evaluate", exam.name),
        markdown=markdown(made),
        description=f"How well search answers {exam.name}",
    )
    return made.as_json()


def _reranking() -> Settings:
    """The settings, with the reranker that needs nothing where none is configured."""
    settings = current()
    return replace(settings, reranker="late") if settings.reranker == "off" else settings


def _exam(connection: Connection, folder: str, golden: str) -> Exam:
    """The folder's exam, or the golden set's questions whose documents are known."""
    if folder:
        return judged(Path(folder))
    exam = golden_set(connection, golden)
    asked = tuple(question for question in exam.questions if question.grades)
    if not asked or not exam.collection:
        raise Rejected(
            f"no question of {golden} says which document of a collection answers it",
            "Give its questions sources, and the set its collection: openbook golden import.",
        )
    return replace(exam, questions=asked)


@task(name="fill", task_run_name="fill {folder}")
def fill(folder: str, language: str) -> None:
    """Bring the documents of a test collection up to date."""
    path = Path(folder).resolve()
    entries = corpus(path)
    exam = judged(path, frozenset(entry.id for entry in entries))
    with closing(connect(current())) as connection:
        source = register_given(connection, exam.collection, entries, language or None)
        with hold(connection, "ingest", source.id) as held:
            if not held:
                raise Retryable(
                    f"{source.name} is held by {running_since(connection, source.id)}",
                    "Wait until that run ends.",
                )
            _fill(connection, source, entries)


def _fill(connection: Connection, source: Source, entries: Sequence[Entry]) -> None:
    settings = current()
    embedder = open_embedder(settings)
    tokenizer, limit = embedder.tokenizer, settings.chunk_tokens
    model_id = serving_model(connection, embedder)
    run = start_run(connection, source.id, model_id)
    by_id = {entry.id: entry for entry in entries}
    ids = mark_given(connection, source, entries, recipe(source, tokenizer, limit))
    for start in range(0, len(ids), _BATCH):
        pending = pending_documents(connection, ids[start : start + _BATCH])
        contents = read_given(connection, source, pending, by_id, tokenizer=tokenizer, limit=limit)
        missing = missing_texts(connection, model_id, [content for _, content in contents])
        purchase = embed(connection, embedder, model_id, missing)
        publish(connection, run.id, contents, [], purchase)
    connection.commit()
    connection.autocommit = True
    index(connection, model_id)
    for refused in finish_run(connection, run.id).rejected:
        raise Rejected(f"{source.name}: {refused.path}: {refused.reason}", refused.remedy or "")


@task(name="ask", task_run_name="ask {mode}")
def ask(mode: str, folder: str, golden: str, within: str) -> Outcome:
    """Ask every question in that mode, as many at a time as there are processors."""
    settings = _reranking()
    way, _, rerank = mode.partition("+")
    with ExitStack() as opened, ThreadPoolExecutor(_ABREAST) as threads:
        connections = [
            opened.enter_context(closing(connect(settings, autocommit=True)))
            for _ in range(_ABREAST)
        ]
        exam = _exam(connections[0], folder, golden)
        free: SimpleQueue[Connection] = SimpleQueue()
        for connection in connections:
            free.put(connection)

        def answer(question: Question) -> tuple[list[str], float]:
            connection = free.get()
            started = time.perf_counter()
            try:
                hits = search(
                    question.text,
                    k=_HITS,
                    mode=way,
                    rerank=bool(rerank),
                    filter={within: question.metadata.get(within)} if within else None,
                    collection=exam.collection,
                    log=False,
                    settings=settings,
                    connection=connection,
                )
            finally:
                free.put(connection)
            took = (time.perf_counter() - started) * 1000
            return list(dict.fromkeys(hit.path for hit in hits)), took

        rankings, milliseconds = zip(*threads.map(answer, exam.questions), strict=True)
    return Outcome(score(exam.questions, rankings), np.array(milliseconds))
