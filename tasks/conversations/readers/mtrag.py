"""Tasks of the multi-turn RAG benchmark MTRAG (Katsis et al. 2025): turns, an answer."""

from __future__ import annotations

from typing import Any

from tasks.conversations.readers.chat import role_of
from tasks.conversations.readers.fields import (
    CONVERSATION,
    first,
    kind_of,
    listed,
    moment,
    said_of,
    tags,
    text_and_parts,
    whose,
)
from tasks.conversations.values import Conversation, Json, Message
from tasks.errors import Rejected

_KNOWN = {"input", "targets", "contexts", "tags", "turn", *CONVERSATION}
_ROLES = {"agent": "assistant"}


def read_mtrag(line: Json) -> list[Conversation]:
    """One line `{"input": [{"speaker": …, "text": …}, …], "targets": […], "contexts": […]}`.

    Of several targets the first is the answer. The contexts, which are no chunks of ours, stay in
    its metadata.
    """
    turns = [*listed(line.get("input"), "`input`"), listed(line.get("targets"), "`targets`")[0]]
    messages = [_message(turn, place) for place, turn in enumerate(turns, start=1)]
    if line.get("contexts"):
        messages[-1] = messages[-1]._replace(metadata={"contexts": line["contexts"]})
    names = whose(line)
    return [
        Conversation(
            messages,
            external_id=names["group"] or first(line, CONVERSATION),
            user=names["user"],
            tenant=names["tenant"],
            model=messages[-1].model,
            started_at=messages[0].said_at,
            ended_at=messages[-1].said_at,
            tags=tags(line.get("tags")),
            metadata=said_of(line, _KNOWN),
        )
    ]


def _message(turn: Any, number: int) -> Message:
    place = f"turn {number}"
    if not isinstance(turn, dict):
        raise Rejected(f"Turn {number} is {kind_of(turn)}", 'Give {"speaker": …, "text": …}.')
    speaker = turn.get("speaker")
    role = role_of(_ROLES.get(str(speaker), speaker), place)
    text, _ = text_and_parts(turn.get("text"), place)
    if text is None:
        raise Rejected(f"Turn {number} has no text", "Give it one, or leave the task out.")
    about = turn.get("metadata")
    told: Json = about if isinstance(about, dict) else {}
    return Message(
        role,
        text,
        model=first(told, ("author_id",)) if told.get("author_type") == "model" else None,
        said_at=moment(told.get("created_at")),
    )
