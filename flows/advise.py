"""The installation's own figures to a recommendation: prompt, long context, retrieval, training."""

from __future__ import annotations

from contextlib import closing
from threading import Event
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from flows.examine import ask_all
from tasks.advise.advise import Advice
from tasks.advise.advise import advise as advise_on
from tasks.advise.assumptions import read_given
from tasks.advise.evidence import gather, unclear
from tasks.advise.judge import KindJudge
from tasks.advise.page import markdown
from tasks.answer.strategy import strategies
from tasks.database import connect, query
from tasks.datasets.quality import refuses
from tasks.errors import Rejected
from tasks.evaluate.golden.store import golden_set
from tasks.settings import current
from tasks.training.registry import configured_model, serving, serving_model


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
        run_experiments(experiment, task)
    if judge:
        ask_judge()
    advice = advice_on(task, collection, assume or [])
    create_markdown_artifact(
        key="advise-" + "".join(c if c.isalnum() else "-" for c in f"{task}-{collection}".lower()),
        markdown=markdown(advice),
        description=f"Which half {task} over {collection} needs",
    )
    return advice.as_json()


@task(name="experiments", task_run_name="experiments {golden}")
def run_experiments(golden: str, models_of: str) -> list[int]:
    """Examine the configured and the trained model under every strategy; the examinations."""
    settings = current()
    with closing(connect(settings, autocommit=True)) as connection:
        exam = golden_set(connection, golden)
        base = configured_model(settings)
        if base is None:
            raise Rejected(
                "no model is configured to experiment with", "Set OPENBOOK_ANSWER_MODEL."
            )
        tokens = gather(connection, exam.collection, models_of, refuses).figures["corpus_tokens"]
        asked = [(base, strategy) for strategy in ("none", "rag", "oracle")]
        if (tokens.value or 0) <= base.window / 2:
            asked.append((base, "long-context"))
        present = serving(connection, models_of)
        if present is not None and present.training_run_id is not None:
            asked += [(present.chat_model(settings), strategy) for strategy in ("none", "rag")]
        return [
            ask_all(connection, settings, exam, model, strategy).id for model, strategy in asked
        ]


@task(name="judge", task_run_name="judge failures")
def ask_judge() -> int:
    """Have it said what is wrong with rejected answers; how many. Each verdict is kept at once."""
    settings = current()
    judge = KindJudge(settings)
    with closing(connect(settings, autocommit=True)) as connection:
        rows = unclear(connection, refuses)
        for row in rows:
            kept = {"kind": judge.tell(row, Event()), "judge": judge.model}
            asked = {"conversation": row["conversation_id"], "ordinal": row["ordinal"]}
            connection.execute(query("advise_told"), {**asked, **kept})
    return len(rows)


def advice_on(task: str, collection: str, assume: list[str]) -> Advice:
    """The advice, without a record of it."""
    given = read_given(assume)
    settings = current()
    with connect(settings) as connection:
        strategies(connection, collection)  # which refuses an unknown one
        evidence = gather(connection, collection, task, refuses)
        return advise_on(evidence, task, serving_model(connection, settings, task), given)
