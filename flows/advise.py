"""The installation's own figures to a recommendation: prompt, long context, retrieval, training."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from tasks.advise.advise import Advice
from tasks.advise.advise import advise as advise_on
from tasks.advise.assumptions import read_given
from tasks.advise.evidence import gather
from tasks.advise.page import markdown
from tasks.database import connect
from tasks.datasets.quality import refuses
from tasks.settings import current
from tasks.training.registry import serving_model


@flow(name="advise", flow_run_name="advise {task} {collection}")
def advise(
    task: str = "answer", collection: str = "default", assume: list[str] | None = None
) -> dict[str, Any]:
    """Say which half the problem needs, with the evidence, the costs and what would change it.

    Args:
        task: The task whose models, examinations and datasets count.
        collection: The documents that the questions are about.
        assume: Overrides of assumptions and thresholds, each NAME=NUMBER.
    """
    advice = advice_on(task, collection, assume or [])
    create_markdown_artifact(
        key="advise-" + "".join(c if c.isalnum() else "-" for c in f"{task}-{collection}".lower()),
        markdown=markdown(advice),
        description=f"Which half {task} over {collection} needs",
    )
    return advice.as_json()


def advice_on(task: str, collection: str, assume: list[str]) -> Advice:
    """The advice, without a record of it."""
    given = read_given(assume)
    settings = current()
    with connect(settings) as connection:
        evidence = gather(connection, collection, task, refuses)
        return advise_on(evidence, task, serving_model(connection, settings, task), given)
