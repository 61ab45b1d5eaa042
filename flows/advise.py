"""The installation's own figures to a recommendation: prompt, long context, retrieval, training."""

from __future__ import annotations

from contextlib import closing
from threading import Event
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from psycopg import Connection

from flows.examine import ask_all, need_all
from tasks.advise.advise import Advice
from tasks.advise.advise import advise as advise_on
from tasks.advise.assumptions import read_given, room
from tasks.advise.evidence import gather, unclear
from tasks.advise.judge import KindJudge
from tasks.advise.page import markdown
from tasks.answer.strategy import strategies
from tasks.database import connect, query
from tasks.datasets.quality import refuses
from tasks.errors import Rejected
from tasks.evaluate.exam import Exam
from tasks.evaluate.golden.store import golden_set
from tasks.settings import current
from tasks.training.registry import is_upon, serving, serving_model, untrained_model


@flow(name="advise", flow_run_name="advise {task} {collection}")
def advise(
    task: str = "answer",
    collection: str = "default",
    assume: list[str] | None = None,
    experiment: str = "",
    judge: bool = False,
) -> dict[str, Any]:
    """Say which half the problem needs, with the evidence, the costs and what would change it.

    Args:
        task: The task whose models, examinations and datasets count.
        collection: The documents that the questions are about.
        assume: Overrides of assumptions and thresholds, each NAME=NUMBER.
        experiment: A golden set to ask first under every strategy, of the configured model and of
            the one that was trained; it costs what the answers cost.
        judge: Whether the model of OPENBOOK_JUDGE_MODEL says first what is wrong with answers that
            people rejected without saying why; each is asked about once.
    """
    if experiment:
        run_experiments(experiment, task, collection, assume or [])
    if judge:
        ask_judge(task, collection)
    advice = advice_on(task, collection, assume or [], experiment or None)
    create_markdown_artifact(
        key="advise-" + "".join(c if c.isalnum() else "-" for c in f"{task}-{collection}".lower()),
        markdown=markdown(advice),
        description=f"Which half {task} over {collection} needs",
    )
    return advice.as_json()


@task(name="experiments", task_run_name="experiments {golden}")
def run_experiments(golden: str, models_of: str, collection: str, assume: list[str]) -> list[int]:
    """Examine a model, and what was trained upon it, under every strategy; the examinations.

    Raises Rejected, before anything is asked, for questions about another collection or for another
    purpose, and where no model is configured; Retryable at the first strategy under which a
    question got no answer, Rejected where all were refused.
    """
    settings = current()
    with closing(connect(settings, autocommit=True)) as connection:
        exam = golden_set(connection, golden)
        _need_questions_about(exam, collection)
        base = untrained_model(connection, settings, models_of)
        if base is None:
            raise Rejected(
                "no model is configured to experiment with", "Set OPENBOOK_ANSWER_MODEL."
            )
        tokens = gather(connection, exam.collection, models_of, refuses).figures["corpus_tokens"]
        asked = [(base, strategy) for strategy in ("none", "rag", "oracle")]
        if (tokens.value or 0) <= room(base, read_given(assume)):
            asked.append((base, "long-context"))
        present = serving(connection, models_of)
        if present is not None and present.is_trained and is_upon(connection, present, base):
            asked += [(present.chat_model(settings), strategy) for strategy in ("none", "rag")]
        made = []
        for model, strategy in asked:
            found = ask_all(connection, settings, exam, model, strategy)
            need_all(found, exam, model)
            _need_any(connection, found.id, exam, strategy)
            made.append(found.id)
        return made


def _need_questions_about(exam: Exam, collection: str) -> None:
    if exam.collection != collection:
        about = f"the collection {exam.collection!r}" if exam.collection else "no documents"
        raise Rejected(
            f"the golden set {exam.name!r} is about {about}, not about {collection!r}",
            "Name a set about it, or the set's own collection with --collection.",
        )
    if exam.purpose != "task":
        raise Rejected(
            f"the golden set {exam.name!r} is of the purpose {exam.purpose!r}",
            "Experiments are made with one of the purpose 'task'.",
        )


def _need_any(connection: Connection, examination: int, exam: Exam, strategy: str) -> None:
    refused = connection.execute(query("advise_refused"), {"evaluation": examination}).fetchone()
    if refused is not None:
        raise Rejected(
            f"no question of {exam.name} was answered under {strategy}, such as {refused[0]!r}: "
            f"{refused[1]}",
            "See what the model or the strategy refuses: openbook answer.",
        )


@task(name="judge", task_run_name="judge failures")
def ask_judge(models_of: str, collection: str) -> int:
    """Have it said what is wrong with rejected answers; how many. Each verdict is kept at once."""
    settings = current()
    judge = KindJudge(settings)
    with closing(connect(settings, autocommit=True)) as connection:
        rows = unclear(connection, collection, models_of, refuses)
        for row in rows:
            kept = {"kind": judge.tell(row, Event()), "judge": judge.model}
            asked = {"conversation": row["conversation_id"], "ordinal": row["ordinal"]}
            connection.execute(query("advise_told"), {**asked, **kept})
    return len(rows)


def advice_on(
    task: str, collection: str, assume: list[str], experiment: str | None = None
) -> Advice:
    """The advice, without a record of it; `experiment` is the golden set whose answers count."""
    given = read_given(assume)
    settings = current()
    with connect(settings) as connection:
        strategies(connection, collection)  # which refuses an unknown one
        base = untrained_model(connection, settings, task)
        examined = base.name if base else None
        evidence = gather(connection, collection, task, refuses, model=examined, golden=experiment)
        return advise_on(evidence, task, serving_model(connection, settings, task), given)
