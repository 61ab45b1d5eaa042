"""From a question to a cited answer, in two steps: what needs the database, then the model.

prepared = prepare(connection, settings, question, retrieval=…, model=…)
answer = complete(prepared, settings, hear=print)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from psycopg import Connection

from tasks.answer.citations import Citations
from tasks.answer.enough import is_enough
from tasks.answer.long_context import read_collection
from tasks.answer.passages import Passage, join_hits
from tasks.answer.prompt import Budget, Message, Prompt, assemble, budget_of
from tasks.answer.retrieval import Retrieval
from tasks.answer.strategy import STRATEGIES, strategy_of
from tasks.errors import OpenbookError, Rejected
from tasks.records import Answer, ChatModel, Hit
from tasks.settings import Settings

_SHORT_QUESTION = 6
"""Words; a shorter follow-up is searched for together with the question before it."""
_NOTHING = "Nothing in {collection} answers this question well enough to rest an answer on."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with what is to be shown to the model; `outcome` where no model is to be asked."""

    question: str
    collection: str
    strategy: str
    model: ChatModel | None
    passages: tuple[Passage, ...]
    prompt: Prompt | None
    budget: Budget | None
    retrieval_ms: int
    outcome: str | None = None


def prepare(
    connection: Connection,
    settings: Settings,
    question: str,
    *,
    retrieval: Retrieval,
    model: ChatModel | None,
    collection: str = "default",
    strategy: str | None = None,
    k: int = 8,
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    principals: Sequence[str] | None = None,
    history: Sequence[Message] = (),
    given: Sequence[Hit] | None = None,
    log_search: bool = True,
) -> Prepared:
    """Find what the question is to be answered from.

    `strategy` is `rag`, `long-context` or `none`; None: the collection's own. With `given` these
    hits are the passages, whatever search would find, and the strategy is called `oracle`. `model`
    None: the passages that search finds are the answer. `history` are earlier messages, oldest
    first; the other parameters are those of `tasks.retrieve.search.search`.

    Raises Rejected for parameters that cannot be used, and for a collection that is too large for
    long-context.
    """
    started = time.perf_counter()
    if strategy is None:
        strategy = strategy_of(connection, retrieval, collection, principals)
    elif strategy not in STRATEGIES and given is None:
        raise Rejected(f"there is no strategy {strategy!r}", f"There are {', '.join(STRATEGIES)}.")
    strategy = "oracle" if given is not None else strategy
    budget = None if model is None else budget_of(model)
    scope: dict[str, Any] = {"filter": filter, "predicate": predicate, "principals": principals}
    outcome = None
    passages: Sequence[Passage] = ()
    if strategy == "long-context" and model is not None and budget is not None:
        passages = read_collection(connection, retrieval, collection, model, budget, **scope)
    elif strategy != "none" or model is None:
        hits = given
        if hits is None:
            asked = _searched(question, history)
            hits = retrieval.search(
                asked,
                k=k,
                collection=collection,
                connection=connection,
                settings=settings,
                log=log_search,
                **scope,
            )
            if not is_enough(settings, hits):
                outcome = "nothing found"
        passages = join_hits(hits, _ordinals(connection, retrieval, hits, principals))
    prompt = None
    if model is None:
        outcome = outcome or "no model"
    elif outcome is None and budget is not None:
        whole = strategy == "long-context"
        prompt = assemble(question, passages, budget, history, whole=whole)
    return Prepared(
        question,
        collection,
        strategy,
        model,
        prompt.passages if prompt else tuple(passages),
        prompt,
        budget,
        _milliseconds(started),
        outcome,
    )


def complete(
    prepared: Prepared,
    settings: Settings,
    hear: Callable[[str], None] | None = None,
    stop: Event | None = None,
) -> Answer:
    """Let the model answer, and verify what it cites; nothing is asked where nothing was found.

    `hear` is given the answer piece by piece as it comes, without the citations that were taken
    out. An endpoint that fails makes an answer whose outcome is `failed`, with what had come.
    """
    hear = hear or (lambda _: None)
    answer = Answer(
        question=prepared.question,
        text="",
        outcome=prepared.outcome or "answered",
        strategy=prepared.strategy,
        model=prepared.model,
        passages=tuple(hit for passage in prepared.passages for hit in passage.hits),
        numbers=tuple(passage.number for passage in prepared.passages for _ in passage.hits),
        retrieval_ms=prepared.retrieval_ms,
    )
    if prepared.prompt is None or prepared.model is None or prepared.budget is None:
        text = _passages_alone(prepared)
        hear(text)
        return replace(answer, text=text)
    from tasks.answer.generate import Generated, open_generator

    citations = Citations({passage.number: passage.text for passage in prepared.passages})

    def heard(piece: str) -> None:
        if verified := citations.feed(piece):
            hear(verified)

    started = time.perf_counter()
    generated, reason, lasting = Generated(), None, False
    try:
        generated = open_generator(settings, prepared.model).generate(
            prepared.prompt.messages, prepared.budget.answer, heard, stop
        )
        reason, lasting = generated.broken, generated.lasting
    except OpenbookError as error:
        reason, lasting = str(error), isinstance(error, Rejected)
    if rest := citations.finish():
        hear(rest)
    if reason is None and not citations.text.strip():
        reason, lasting = f"{prepared.model.name} answered with nothing", True
    shown = {passage.number: passage.chunk_ids for passage in prepared.passages}
    return replace(
        answer,
        text=citations.text.strip(),
        outcome="answered" if reason is None else "failed",
        cited=tuple(dict.fromkeys(id for n in citations.cited for id in shown[n])),
        removed_citations=citations.removed,
        context_tokens=prepared.prompt.context_tokens,
        input_tokens=generated.input_tokens,
        output_tokens=generated.output_tokens,
        generation_ms=_milliseconds(started),
        response_id=generated.id,
        reason=f"cut after {prepared.budget.answer} tokens" if generated.cut else reason,
        lasting=lasting,
    )


def _searched(question: str, history: Sequence[Message]) -> str:
    """What to search for: a short question after others means little without the one before."""
    before = next((m["content"] for m in reversed(history) if m["role"] == "user"), None)
    if before is None or len(question.split()) >= _SHORT_QUESTION:
        return question
    return f"{before} {question}"


def _ordinals(
    connection: Connection,
    retrieval: Retrieval,
    hits: Sequence[Hit],
    principals: Sequence[str] | None,
) -> dict[int, int]:
    if not hits:
        return {}
    asked = {"chunks": [hit.chunk_id for hit in hits]}
    return dict(retrieval.ask(connection, "answer_places", asked, principals))


def _passages_alone(prepared: Prepared) -> str:
    """An answer that no model gives: that there is none, or the passages with their sources."""
    if prepared.outcome == "nothing found":
        return _NOTHING.format(collection=prepared.collection)
    return "\n\n".join(
        f"[{passage.number}] {passage.source}\n{passage.text}" for passage in prepared.passages
    )


def _milliseconds(started: float) -> int:
    return round(1000 * (time.perf_counter() - started))
