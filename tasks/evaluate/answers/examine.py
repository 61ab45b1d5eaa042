"""The examination of a model: every question of an exam answered, scored and kept as it arrives.

It goes on where an examination of the same questions, model and strategy was killed. One item that
fails stops no other; an examination whose items did not all come stays open, so that the next one
asks for the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import hold, query
from tasks.errors import Fatal, OpenbookError, Rejected, Retryable
from tasks.evaluate.answers.figures import close
from tasks.evaluate.answers.score import Score, scores
from tasks.evaluate.exam import Exam, Question
from tasks.records import Answer, ChatModel

AnswerOne = Callable[[Question], Answer]
"""Answers one question; called by several threads at once."""

_MEASURES_VERSION = 1
"""Raise it when a measure means something else: an open examination is then begun anew."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of an examination: its row's id, and why items without an answer have none."""

    id: int
    finished: bool
    failed: Mapping[str, str]


def examine(
    connection: Connection,
    exam: Exam,
    model: ChatModel,
    answer_one: AnswerOne,
    *,
    strategy: str,
    settings: Mapping[str, Any] | None = None,
    threads: int = 4,
) -> Examined:
    """Ask the model all questions of the exam, `threads` at a time; each item is committed alone.

    `settings` tells examinations apart that are not to go on from each other. A question that
    was refused, and would be again (Rejected), counts as answered with nothing; an item that failed
    otherwise has a reason and no score, and leaves the examination open. Raises Retryable when
    another process examines the same, and what `answer_one` raises as Fatal once the answers under
    way are kept.
    """
    if connection.info.transaction_status:
        connection.commit()
    evaluation = _start(connection, exam, model, strategy, settings or {})
    with hold(connection, "examine", evaluation) as held:
        if not held:
            raise Retryable(
                f"{exam.name} is being examined with {model.name} by another process",
                "Wait until it ends.",
            )
        failed = _ask_all(
            connection, evaluation, exam, answer_one, strategy=strategy, threads=threads
        )
        if not failed:
            close(connection, evaluation)
    return Examined(evaluation, not failed, failed)


def _start(
    connection: Connection, exam: Exam, model: ChatModel, strategy: str, settings: Mapping[str, Any]
) -> int:
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('openbook.examinations'))")
        row = connection.execute(
            query("examination_start"),
            {
                "golden_set": exam.golden_set_id,
                "name": exam.name,
                "purpose": exam.purpose,
                "chat_model": model.id,
                "model": model.name,
                "collection": exam.collection,
                "strategy": strategy,
                "endpoint_model": model.model,
                "endpoint_url": model.url,
                "exam_sha256": fingerprint(exam),
                "settings": Jsonb(dict(settings)),
                "questions": len(exam.questions),
            },
        ).fetchone()
    assert row is not None
    return int(row[0])


def fingerprint(exam: Exam) -> bytes:
    """The SHA-256 of the questions with all that scores them.

    A changed question is not mixed with older answers, nor are two models compared on it.
    """
    asked = [
        [q.text, q.expected_answer, sorted(q.grades.items()), [[c.kind, c.value] for c in q.checks]]
        for q in exam.questions
    ]
    whole = json.dumps([_MEASURES_VERSION, exam.purpose, exam.collection, asked], sort_keys=True)
    return hashlib.sha256(whole.encode()).digest()


def _ask_all(
    connection: Connection,
    evaluation: int,
    exam: Exam,
    answer_one: AnswerOne,
    *,
    strategy: str,
    threads: int,
) -> dict[str, str]:
    """Ask what has no answer yet; the reasons of the items that failed."""
    with connection.transaction():  # so that no transaction of the caller's kind stays open
        done = connection.execute(query("examination_done"), {"evaluation": evaluation}).fetchall()
    known = {item for (item,) in done}
    waiting = [question for question in exam.questions if question.text not in known]
    failed: dict[str, str] = {}
    fatal: Fatal | None = None
    with ThreadPoolExecutor(threads) as pool:
        asked: dict[Future[Answer], Question] = {}
        while waiting or asked:
            while waiting and len(asked) < threads:
                question = waiting.pop(0)
                asked[pool.submit(answer_one, question)] = question
            for future in wait(asked, return_when=FIRST_COMPLETED).done:
                question = asked.pop(future)
                try:
                    reason = _keep(connection, evaluation, question, strategy, future)
                except Fatal as error:
                    fatal, reason = error, error.message
                    waiting.clear()
                if reason is not None:
                    failed[question.text] = reason
    if fatal is not None:
        raise fatal
    return failed


def _keep(
    connection: Connection,
    evaluation: int,
    question: Question,
    strategy: str,
    future: Future[Answer],
) -> str | None:
    """Store what came of the item; why it failed, if it did."""
    try:
        answer = future.result()
    except Rejected as refusal:
        answer = Answer(question.text, "", "failed", strategy, reason=refusal.message, lasting=True)
    except Fatal:
        raise
    except OpenbookError as error:
        answer = Answer(question.text, "", "failed", strategy, reason=error.message)
    except Exception as error:  # whatever one item meets, the others go on
        met = f"{type(error).__name__}: {error}"
        answer = Answer(question.text, "", "failed", strategy, reason=met)
    failed = answer.outcome == "failed" and not answer.lasting
    reason = (answer.reason or "it failed") if failed else None
    found = [] if reason else scores(question, answer)
    _store(connection, evaluation, question, answer, found)
    return reason


def _store(
    connection: Connection,
    evaluation: int,
    question: Question,
    answer: Answer,
    found: list[Score],
) -> None:
    with connection.transaction():
        connection.execute(
            query("examination_store"),
            {
                "evaluation": evaluation,
                "item": question.text,
                "golden_question": question.id,
                "answer": answer.text.replace("\0", " ") or None,
                "chunk_ids": [hit.chunk_id for hit in answer.passages],
                "cited_ids": list(answer.cited),
                "context_tokens": answer.context_tokens if answer.outcome == "answered" else None,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
                "retrieval_ms": answer.retrieval_ms,
                "generation_ms": answer.generation_ms,
                "reason": answer.reason,
                "measures": [score.measure for score in found],
                "values": [score.value for score in found],
                "details": [score.detail for score in found],
            },
        )
