"""How well a model answers questions whose answers are known, and which half of it to mend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from psycopg import Connection

from flows.ask import RETRIEVAL, reachable, serving_model
from tasks.answer.answer import complete, prepare
from tasks.answer.strategy import strategies
from tasks.database import Pool, connect
from tasks.errors import Rejected, Retryable
from tasks.evaluate.answers.compare import compare_answers
from tasks.evaluate.answers.examine import AnswerOne, Examined, examine, fingerprint
from tasks.evaluate.answers.judge import Judge
from tasks.evaluate.answers.page import markdown
from tasks.evaluate.answers.report import before, report
from tasks.evaluate.exam import Exam, Question
from tasks.evaluate.golden.store import golden_set
from tasks.records import Answer, ChatModel, Hit
from tasks.retrieve.search import search
from tasks.settings import Settings, current
from tasks.training.examinations import Examination, Sitting, examinations_of

STRATEGIES = ("rag", "long-context", "none", "oracle")
_ABREAST = 4
"""Questions that are asked at once."""
_ORACLE_HITS = 16
_SECONDS = 120.0


@flow(name="examine", flow_run_name="examine {golden} {model}")
def examine_answers(
    golden: str,
    model: str = "",
    strategy: str = "",
    against: int | None = None,
    judge: bool = False,
) -> dict[str, Any]:
    """Ask a model the questions of a golden set, score its answers and say what failed, and why.

    An examination of the same questions, model and strategy that was killed goes on.

    Args:
        golden: The name of a golden set in the database.
        model: A registered model, NAME@VERSION, or one of the configured endpoint; empty: the one
            that answers now.
        strategy: rag, long-context, none or oracle; empty: the collection's own.
        against: An earlier examination to compare with; none: the last one of the same questions.
        judge: Whether the model of OPENBOOK_JUDGE_MODEL compares the answers of both.
    """
    settings = current()
    comparing = Judge(settings) if judge else None  # before an answer is bought for it
    with closing(connect(settings, autocommit=True)) as connection:
        exam = golden_set(connection, golden)
        asked = serving_model(connection, settings, model or None)
        if asked is None:
            raise Rejected("no model answers", "Set OPENBOOK_ANSWER_MODEL, or promote a model.")
        chosen = strategy or own_strategy(connection, exam)
        made = ask_all(connection, settings, exam, asked, chosen)
        other = before(connection, made.id) if against is None else against
        unjudged = {}
        if comparing is not None and other is not None:
            unjudged = ask_judge(connection, comparing, made.id, other)
        found = report(connection, made.id, other)
    create_markdown_artifact(
        key="answers-" + re.sub("[^a-z0-9]+", "-", golden.lower()).strip("-"),
        markdown=markdown(found),
        description=f"How well {asked.name} answers {golden}",
    )
    lacking = [{"question": item, "reason": reason} for item, reason in unjudged.items()]
    return {**found.as_json(), "unjudged": lacking}


def ask_judge(connection: Connection, judge: Judge, evaluation: int, other: int) -> dict[str, str]:
    """Let the judge compare two examinations; the reasons of the questions without a verdict."""
    return compare_answers(connection, evaluation, other, judge.model, judge.compare)


def examine_once(
    connection: Connection, settings: Settings, model: ChatModel, golden: str, cycle: int
) -> None:
    """Ask the model the golden set's questions, unless this cycle of retraining did so already.

    A model that is asked elsewhere since, and a set that was changed, are examined again.
    Raises Retryable where a question got no answer; what was answered is kept.
    """
    if examined(connection, settings, model, [golden], cycle):
        return
    exam = golden_set(connection, golden)
    strategy = own_strategy(connection, exam)
    need_all(ask_all(connection, settings, exam, model, strategy, cycle=cycle), exam, model)


def need_all(found: Examined, exam: Exam, model: ChatModel) -> None:
    """Raise Retryable where a question got no answer; what was answered is kept."""
    if not found.finished:
        question, reason = next(iter(found.failed.items()))
        raise Retryable(
            f"{len(found.failed)} questions of {exam.name} got no answer from {model.name}, such as"
            f" {question!r}: {reason}",
            "The next run asks them again.",
        )


def examined(
    connection: Connection,
    settings: Settings,
    model: ChatModel,
    golden: Sequence[str],
    cycle: int,
) -> list[Examination]:
    """The model's ended examinations in the cycle, by those of the golden sets that it had.

    Model and sets as they are now: what was changed since it was examined is not examined.
    """
    exams = [golden_set(connection, name) for name in golden]
    sittings = [
        Sitting(exam.name, own_strategy(connection, exam), fingerprint(exam)) for exam in exams
    ]
    return examinations_of(connection, model, sittings, _circumstances(settings, cycle))


def ask_all(
    connection: Connection,
    settings: Settings,
    exam: Exam,
    model: ChatModel,
    strategy: str,
    *,
    cycle: int | None = None,
) -> Examined:
    """Ask the model every question of the exam that it has no answer to yet.

    An examination of a `cycle` of retraining is that cycle's alone. Raises Rejected for a strategy
    that there is not, or that the exam's questions do not allow.
    """
    if strategy not in STRATEGIES:
        raise Rejected(f"there is no strategy {strategy!r}", f"There are {', '.join(STRATEGIES)}.")
    if strategy != "none" and not exam.collection:
        raise Rejected(
            f"the questions of {exam.name} are about no documents",
            "Use the strategy none, or give the set a collection: openbook golden import.",
        )
    asked = reachable(settings, model)
    abreast = _ABREAST if asked is model else 1  # the small model answers one after the other
    with closing(Pool(settings, abreast, seconds=_SECONDS)) as pool:
        return examine(
            connection,
            exam,
            model,
            answerer(settings, pool, exam, asked, strategy),
            strategy=strategy,
            settings=_circumstances(settings, cycle),
            threads=abreast,
        )


def _circumstances(settings: Settings, cycle: int | None) -> dict[str, Any]:
    """What else tells examinations apart: how passages are found, and the cycle of retraining."""
    found = {"embedder": settings.embedder, "reranker": settings.reranker}
    return found if cycle is None else {**found, "cycle": str(cycle)}


def answerer(
    settings: Settings, pool: Pool, exam: Exam, model: ChatModel, strategy: str
) -> AnswerOne:
    """The function that answers one question as `openbook answer` does, without logging it."""

    def answer_one(question: Question) -> Answer:
        def find(connection: Connection) -> Any:
            return prepare(
                connection,
                settings,
                question.text,
                retrieval=RETRIEVAL,
                model=model,
                collection=exam.collection or "default",
                strategy=strategy,
                given=_oracle(connection, settings, exam, question)
                if strategy == "oracle"
                else None,
                log_search=False,
            )

        return complete(pool.run(find), settings)

    return answer_one


def own_strategy(connection: Connection, exam: Exam) -> str:
    """What the exam's questions are answered from where nobody says otherwise."""
    return strategies(connection, exam.collection)[exam.collection] if exam.collection else "none"


def _oracle(
    connection: Connection, settings: Settings, exam: Exam, question: Question
) -> Sequence[Hit]:
    """The best passages of the expected documents alone."""
    if not question.sources:
        return ()
    return search(
        question.text,
        k=_ORACLE_HITS,
        filter={"path": {"in": sorted(question.sources)}},
        collection=exam.collection,
        connection=connection,
        settings=settings,
        log=False,
    )
