"""A whole collection as context, where it fits the model's window.

Documents stand in a fixed order, before the question and all that was said: while the collection
does not change, every question begins with the same tokens, which endpoints that cache prompts then
charge and compute once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.answer.passages import Passage, join_sections
from tasks.answer.prompt import Budget, assemble
from tasks.answer.retrieval import Retrieval
from tasks.errors import Rejected
from tasks.records import ChatModel, Hit

_OTHER_TOKENS = 2
"""The embedding model's count is an estimate of ours; what is more than twice too long by it is not
read at all."""


def read_collection(
    connection: Connection,
    retrieval: Retrieval,
    collection: str,
    model: ChatModel,
    budget: Budget,
    *,
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    principals: Sequence[str] | None = None,
) -> list[Passage]:
    """The collection's passages that the caller may read, in their fixed order.

    Raises Rejected, with the figures, when they are longer than the budget.
    """
    most_tokens = _OTHER_TOKENS * budget.shown
    asked = {
        "collection": collection,
        "filter": Jsonb(dict(filter or {})),
        "predicate": predicate,
        "most_tokens": most_tokens,
    }
    rows = retrieval.ask(connection, "answer_whole", asked, principals)
    passages = join_sections([Hit(*hit) for _, *hit in rows])
    tokens = rows[0][0] if rows else 0
    if tokens <= most_tokens:
        tokens = assemble("", passages, budget, whole=True).context_tokens
    if tokens > budget.shown:
        raise Rejected(
            f"{collection} has about {tokens:,} tokens, and {model.name} has room for "
            f"{budget.shown:,} of its window of {model.window:,}",
            "Ask a model with a larger window, narrow it with a filter, or use the strategy rag.",
        )
    return passages
