"""A question to an answer: search, the model and the log joined; loads neither Prefect nor a model.

from flows.ask import answer

print(answer("how long is the warranty?").text)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from psycopg import Connection

from tasks.answer.answer import complete, prepare
from tasks.answer.log import log_answer, said_before
from tasks.answer.offline import ensure_offline, is_offline
from tasks.answer.retrieval import Retrieval
from tasks.database import connect
from tasks.records import Answer, ChatModel
from tasks.retrieve.search import ask, search
from tasks.settings import Settings, current
from tasks.training import registry

RETRIEVAL = Retrieval(search=search, ask=ask)


def answer(
    question: str,
    *,
    collection: str = "default",
    strategy: str | None = None,
    k: int = 8,
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    principals: Sequence[str] | None = None,
    model: str | None = None,
    conversation: str | None = None,
    asker: str | None = None,
    log: bool = True,
    hear: Callable[[str], None] | None = None,
    settings: Settings | None = None,
    connection: Connection | None = None,
) -> Answer:
    """Answer a question from a collection's current documents, and log it as a conversation.

    `strategy` is `rag`, `long-context` or `none`; None: the collection's own. `model` is asked
    instead of the one that serves, at the configured endpoint. `conversation` is that of an earlier
    answer, and goes on; `asker` is the pseudonym of who asks. `hear` is given the answer piece by
    piece as it comes. Without a `connection` one is opened. The other parameters are those of
    `tasks.retrieve.search.search`.

    A model that fails makes an answer whose `outcome` says so, not an error. Raises Rejected for
    parameters that cannot be used and for a collection too large for its strategy.
    """
    settings = settings or current()
    if connection is None:
        with closing(connect(settings, autocommit=True)) as own:
            return answer(
                question,
                collection=collection,
                strategy=strategy,
                k=k,
                filter=filter,
                predicate=predicate,
                principals=principals,
                model=model,
                conversation=conversation,
                asker=asker,
                log=log,
                hear=hear,
                settings=settings,
                connection=own,
            )
    prepared = prepare(
        connection,
        settings,
        question,
        retrieval=RETRIEVAL,
        model=serving_model(connection, settings, model),
        collection=collection,
        strategy=strategy,
        k=k,
        filter=filter,
        predicate=predicate,
        principals=principals,
        history=said_before(connection, conversation, asker) if conversation else (),
        log_search=log,
    )
    found = complete(prepared, settings, hear)
    if not log:
        return found
    return replace(
        found, conversation=log_answer(connection, found, collection, conversation, asker)
    )


def serving_model(
    connection: Connection, settings: Settings, name: str | None = None
) -> ChatModel | None:
    """The model that answers, where it can be asked; the small one's server is started for that.

    `name` is the NAME@VERSION of a registered one, or a model of the configured endpoint; without
    it, the registry's serving model answers, else the configured one. Raises Fatal for one that no
    server has.
    """
    if name is None:
        model = registry.serving_model(connection, settings)
    elif "@" in name:
        model = registry.find_model(connection, name).chat_model(settings)
    else:
        model = registry.configured_model(replace(settings, answer_model=name))
    if model is None or not is_offline(model):
        return model
    return ensure_offline(settings, model)
