"""A question to a grounded, cited answer, as a run that a deployment or an automation asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import Field

from flows.ask import answer as find
from flows.pages import name_run
from tasks.errors import Retryable
from tasks.settings import current


@flow(name="answer", flow_run_name="answer from {collection}")
def answer(
    question: Annotated[str, Field(min_length=1, max_length=8000)],
    collection: str = "default",
    strategy: Literal["rag", "long-context", "none"] | None = None,
    k: Annotated[int, Field(ge=1, le=100)] = 8,
    conversation: str | None = None,
) -> dict[str, Any]:
    """Answer a question and log it; the report names the conversation and never quotes it.

    All who see the server's pages see what a run returns: texts are read in the database, under
    the conversation's name (`analytics.answers`, `openbook.messages`).

    Args:
        question: What is asked. It is shown with the run's parameters.
        collection: Whose documents it is answered from.
        strategy: What of them: rag, long-context or none; unset: the collection's own.
        k: How many hits to answer from.
        conversation: The name of an earlier answer's conversation, which goes on.
    """
    found = find(
        question,
        collection=collection,
        strategy=strategy,
        k=k,
        conversation=conversation,
        settings=current(),
    )
    name_run(f"answer from {collection}: {found.outcome}, {len(found.cited)} cited")
    if found.outcome == "failed":
        raise Retryable(f"No answer: {found.reason}", "See whether the model's endpoint is up.")
    return {
        "conversation": found.conversation,
        "outcome": found.outcome,
        "strategy": found.strategy,
        "model": found.model and found.model.name,
        "passages": len(found.passages),
        "cited": len(found.cited),
        "removed_citations": found.removed_citations,
        "retrieval_ms": found.retrieval_ms,
        "generation_ms": found.generation_ms,
    }
