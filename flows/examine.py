"""A model's answers to a golden set: search and the model joined, each answer kept as it comes."""

from __future__ import annotations

from contextlib import ExitStack, closing
from queue import SimpleQueue

from psycopg import Connection

from flows.ask import RETRIEVAL
from tasks.answer.answer import answer_question
from tasks.database import connect
from tasks.errors import Retryable
from tasks.evaluate.answers.examine import examine
from tasks.evaluate.exam import Question
from tasks.evaluate.golden.store import golden_set
from tasks.records import Answer, ChatModel
from tasks.settings import Settings
from tasks.training.examinations import examinations_of

_ABREAST = 4


def examine_once(
    connection: Connection, settings: Settings, model: ChatModel, golden: str, cycle: int
) -> None:
    """Ask the model the golden set's questions, unless this cycle did so already.

    Raises Retryable where a question got no answer; what was answered is kept.
    """
    if any(one.name == golden for one in examinations_of(connection, cycle, model.id)):
        return
    exam = golden_set(connection, golden)
    with ExitStack() as opened:
        free: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(_ABREAST):
            free.put(opened.enter_context(closing(connect(settings, autocommit=True))))

        def answer(question: Question) -> Answer:
            own = free.get()
            try:
                return answer_question(
                    own,
                    settings,
                    question.text,
                    retrieval=RETRIEVAL,
                    model=model,
                    collection=exam.collection,
                    strategy=None if exam.collection else "none",
                    log_search=False,
                )
            finally:
                free.put(own)

        found = examine(
            connection,
            exam,
            model,
            answer,
            strategy="rag" if exam.collection else "none",
            settings={"cycle": str(cycle)},
            threads=_ABREAST,
        )
    if not found.finished:
        question, reason = next(iter(found.failed.items()))
        raise Retryable(
            f"{len(found.failed)} questions of {golden} got no answer from {model.name}, such as "
            f"{question!r}: {reason}",
            "The next run asks them again.",
        )
