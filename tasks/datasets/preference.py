"""Preference pairs: what people corrected, what was generated anew, what they liked and did not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from psycopg import Connection

from tasks.database import query
from tasks.datasets.example import Draft
from tasks.datasets.shape import Message, preference_example
from tasks.datasets.store import MEDIA, read_conversations

_AT_ONCE = 1_000


def preference_drafts(connection: Connection) -> list[Draft]:
    """One draft a pair of the temporary table `chosen`, in the order of conversations.

    A correction is preferred to what it corrects; an answer to the one that it replaced; and of two
    answers to one and the same prompt, in whatever conversations, the liked to the disliked.
    """
    pairs = connection.execute(query("curate_pairs")).fetchall()
    by_conversation = [(one, list(rows)) for one, rows in groupby(pairs, key=lambda row: row[0])]
    drafts: list[Draft] = []
    for start in range(0, len(by_conversation), _AT_ONCE):
        wanted = dict(by_conversation[start : start + _AT_ONCE])
        for conversation_id, tools, messages in read_conversations(connection, list(wanted)):
            drafts += _drafts(wanted[conversation_id], tools, messages)
    return drafts


def _drafts(
    pairs: Sequence[Sequence[Any]], tools: list[dict[str, Any]] | None, messages: list[Message]
) -> Iterator[Draft]:
    for conversation_id, ordinal, preferred, rejected, rejected_id in pairs:
        prompt = [one for one in messages if one.ordinal < ordinal]
        body = preference_example(prompt, preferred, rejected, tools)
        yield Draft(
            conversation_id,
            draft_state(body),
            body,
            (*(one.ordinal for one in prompt), ordinal),
            next((one.chunk_ids for one in messages if one.ordinal == ordinal), ()),
            rejected_id,
            MEDIA if any(one.has_media for one in prompt) else None,
        )


def draft_state(content: Any) -> bytes:
    """The state of a draft that is made of more than its conversation: a hash of what it says."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).digest()
