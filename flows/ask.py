"""A question to an answer: search, the model and the log joined; loads neither Prefect nor a model.

from flows.ask import answer

print(answer("how long is the warranty?").text)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from typing import Any

from psycopg import Connection

from tasks.answer.answer import Prepared, complete
from tasks.answer.answer import prepare as find_passages
from tasks.answer.log import log_answer, said_before
from tasks.answer.offline import OFFLINE, ensure_offline, is_offline
from tasks.answer.prompt import Message
from tasks.answer.retrieval import Retrieval
from tasks.conversations.pseudonyms import pseudonyms
from tasks.database import connect
from tasks.errors import Fatal
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
    instead of the one that serves: see `serving_model`. `conversation` is that of an earlier answer
    to the same `asker`, and goes on; of who asks only a pseudonym is kept. `hear` is given the
    answer piece by piece as it comes. Without a `connection` one is opened. The other parameters
    are those of `tasks.retrieve.search.search`.

    A model that fails makes an answer whose `outcome` says so, not an error. Raises Rejected for
    parameters that cannot be used and for a collection too large for its strategy.
    """
    settings = settings or current()
    if connection is None:
        connection = connect(settings, autocommit=True)
        opened: Any = closing(connection)
    else:
        opened = nullcontext()
    with opened:
        prepared = prepare(
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
            log_search=log,
            settings=settings,
            connection=connection,
        )
        found = complete(prepared, settings, hear)
        if not log:
            return found
        return keep(
            found,
            collection=collection,
            conversation=conversation,
            asker=asker,
            settings=settings,
            connection=connection,
        )


def prepare(
    question: str,
    *,
    settings: Settings,
    connection: Connection,
    conversation: str | None = None,
    asker: str | None = None,
    model: str | None = None,
    history: Sequence[Message] = (),
    **asked: Any,
) -> Prepared:
    """What the question is to be answered from, after what its conversation, or `history`, says.

    The other parameters are those of `tasks.answer.answer.prepare`.
    """
    if conversation is not None:
        history = said_before(connection, conversation, _pseudonym(settings, asker))
    return find_passages(
        connection,
        settings,
        question,
        retrieval=RETRIEVAL,
        model=serving_model(connection, settings, model),
        history=history,
        **asked,
    )


def keep(
    found: Answer,
    *,
    collection: str,
    conversation: str | None,
    asker: str | None,
    settings: Settings,
    connection: Connection,
) -> Answer:
    """Log the answer; the answer with the name of its conversation."""
    asker = _pseudonym(settings, asker)
    return replace(
        found, conversation=log_answer(connection, found, collection, conversation, asker)
    )


def serving_model(
    connection: Connection, settings: Settings, name: str | None = None
) -> ChatModel | None:
    """The model that answers, where it can be asked; the small one's server is started for that.

    `name` is the NAME@VERSION of a registered one, or a NAME: see `_model_named`. Without it, the
    registry's serving model answers, else the configured one. Raises Fatal for one that is unknown
    or that no server has.
    """
    if name is None:
        model = registry.serving_model(connection, settings)
    elif "@" in name:
        model = registry.find_model(connection, name).chat_model(settings)
    else:
        model = _model_named(connection, settings, name)
    return None if model is None else reachable(settings, model)


def _model_named(connection: Connection, settings: Settings, name: str) -> ChatModel | None:
    """The configured model or `offline`, else the newest registered one of that name.

    Any other name is one of the configured endpoint's, and unknown where the settings name none: a
    slip of the pen must not send passages to OpenAI. Raises Fatal for an unknown one.
    """
    if name not in (settings.answer_model, OFFLINE):
        known = [
            one for one in registry.chat_models(connection, registry.ANSWER) if one.name == name
        ]
        if known:
            return known[-1].chat_model(settings)
        if settings.answer_model == OFFLINE or not (settings.answer_model or settings.answer_url):
            raise Fatal(
                f"There is no model {name} in the registry, and no endpoint is configured that "
                "could have it; nothing was sent",
                "See the models with: openbook models. One of OpenAI's, or of your own endpoint, "
                "answers once OPENBOOK_ANSWER_MODEL (and OPENBOOK_ANSWER_URL) name it.",
            )
    return registry.configured_model(replace(settings, answer_model=name))


def reachable(settings: Settings, model: ChatModel) -> ChatModel:
    """The model where it can be asked now: the small one's server is started with its adapter."""
    return ensure_offline(settings, model) if is_offline(model) else model


def _pseudonym(settings: Settings, asker: str | None) -> str | None:
    return None if asker is None else pseudonyms(settings).user(asker)
