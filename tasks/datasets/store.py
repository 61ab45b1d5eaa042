"""Examples are made once: those that a recipe has not made yet, by every core, and kept."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby, islice
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import connect, query
from tasks.datasets.example import Draft, Example, Recipe, make_examples
from tasks.datasets.shape import Message, chat_example
from tasks.errors import Retryable
from tasks.settings import Settings

_AT_ONCE = 500
_WORTH_A_POOL = 8 * _AT_ONCE

MEDIA = "draft: a message holds more than text"

State = tuple[int, bytes]


def keep_conversations(connection: Connection) -> None:
    """Let whoever deletes conversations wait until this transaction ends."""
    connection.execute("select pg_advisory_xact_lock_shared(hashtext('openbook.datasets'))")


def make_missing(
    connection: Connection, recipe: Recipe, settings: Settings | None, corrections: bool
) -> int:
    """Make and keep the supervised examples of the temporary table `chosen`; how many were made.

    With settings, many are made by this process and by children, one a further core, that commit
    what they made at once; without, in this transaction, which may then be rolled back. Raises
    Retryable where a child is killed.
    """
    missing = connection.execute(query("curate_missing"), {"recipe": recipe.name}).fetchall()
    batches = list(_batched([(int(row[0]), bytes(row[1])) for row in missing]))
    if settings is None or len(missing) < _WORTH_A_POOL:
        for batch in batches:
            make_batch(connection, recipe, batch, corrections)
        return len(missing)
    context = multiprocessing.get_context("spawn")
    children = max(1, min(settings.parse_workers, len(batches)) - 1)
    with ProcessPoolExecutor(children, mp_context=context, initializer=_obey_parent) as pool:
        jobs = [pool.submit(_make_apart, settings, recipe, batch, corrections) for batch in batches]
        try:
            for job, batch in zip(reversed(jobs), reversed(batches), strict=True):
                if job.cancel():  # no child has begun it
                    _make_apart(settings, recipe, batch, corrections)
            for job in jobs:
                if not job.cancelled():
                    job.result()
        except BrokenProcessPool:
            raise Retryable(
                "A process that made examples was killed",
                "See whether memory is short: OPENBOOK_PARSE_WORKERS sets how many there are. Run "
                "it again: what was made is kept.",
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return len(missing)


def _obey_parent() -> None:
    """Let the parent decide when to stop: it is told by the same keystroke, and may be killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make_apart(
    settings: Settings, recipe: Recipe, batch: Sequence[State], corrections: bool
) -> None:
    with connect(settings, application_name="openbook curate") as connection:
        make_batch(connection, recipe, batch, corrections)


def make_batch(
    connection: Connection, recipe: Recipe, batch: Sequence[State], corrections: bool
) -> None:
    """Make and store the supervised example of each conversation that is still there."""
    drafts = list(supervised_drafts(connection, batch, corrections))
    store_examples(connection, recipe, make_examples(drafts, recipe))


def supervised_drafts(
    connection: Connection, batch: Sequence[State], corrections: bool
) -> Iterator[Draft]:
    """One draft a conversation."""
    states = dict(batch)
    ids = {"ids": list(states)}
    replaced: dict[int, dict[int, Any]] = {}
    if corrections:
        for conversation_id, ordinal, alternative in connection.execute(
            query("curate_corrections"), ids
        ):
            replaced.setdefault(conversation_id, {})[ordinal] = alternative
    for conversation_id, tools, messages in read_conversations(connection, list(states)):
        body, ordinals = chat_example(messages, tools, replaced.get(conversation_id))
        chunks = [chunk for one in messages for chunk in one.chunk_ids]
        yield Draft(
            conversation_id,
            states[conversation_id],
            body,
            tuple(ordinals),
            tuple(chunks),
            note=MEDIA if any(one.has_media for one in messages) else None,
        )


def read_conversations(
    connection: Connection, ids: Sequence[int]
) -> Iterator[tuple[int, list[dict[str, Any]] | None, list[Message]]]:
    """The id, the declared tools and the messages in order of each conversation that has any."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(query("curate_conversations"), {"ids": list(ids)}).fetchall()
    for (conversation_id,), group in groupby(rows, key=lambda row: row[:1]):
        found = list(group)
        messages = [
            Message(
                ordinal, role, content, calls, call_id, name, weight, tuple(chunks or ()), media
            )
            for _, _, ordinal, role, content, calls, call_id, name, weight, chunks, media in found
        ]
        yield conversation_id, found[0][1], messages


def store_examples(
    connection: Connection,
    recipe: Recipe,
    examples: Iterable[Example],
    golden: str | None = None,
) -> None:
    """Keep the examples; those that are kept already stay as they are.

    `golden` is the recipe's name under which golden questions, which nobody logged, are kept.
    """
    connection.execute("drop table if exists pg_temp.made")
    connection.execute(
        "create temporary table made (like openbook.examples including defaults) on commit drop"
    )
    connection.execute("alter table made alter id drop not null, alter made_at drop not null")
    columns = (
        "recipe, conversation_id, rejected_id, state, sha256, text_sha256, tokens, turns, language,"
        " flags, personal, ordinals, chunk_ids, words, signature, body"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy made ({columns}) from stdin (format binary)".encode()) as copy,
    ):
        copy.set_types([
            "text", "int8", "int8", "bytea", "bytea", "bytea", "int4", "int4", "text",
            "text[]", "jsonb", "int4[]", "int8[]", "bytea", "bytea", "text",
        ])  # fmt: skip
        for one in examples:
            draft = one.draft
            copy.write_row((
                golden or recipe.name, None if golden else draft.conversation_id,
                draft.rejected_id, draft.state, one.sha256, one.text_sha256, one.tokens, one.turns,
                one.language, list(one.flags), Jsonb(dict(one.personal)), list(draft.ordinals),
                list(draft.chunk_ids), one.words, one.signature, one.body,
            ))  # fmt: skip
    connection.execute(
        f"insert into openbook.examples ({columns}) select {columns} from made "  # noqa: S608
        "on conflict do nothing".encode()
    )


def store_drafts(connection: Connection, recipe: Recipe, drafts: Sequence[Draft]) -> None:
    """Make and keep the examples of those drafts that are not kept yet."""
    known = known_states(connection, recipe, drafts)
    missing = [draft for draft in drafts if (draft.conversation_id, draft.state) not in known]
    for start in range(0, len(missing), _AT_ONCE):
        store_examples(connection, recipe, make_examples(missing[start : start + _AT_ONCE], recipe))


def known_states(connection: Connection, recipe: Recipe, drafts: Sequence[Draft]) -> set[State]:
    """The conversations and states of those drafts of which the recipe has made the example."""
    rows = connection.execute(
        "select conversation_id, state from openbook.examples"
        " where recipe = %s and conversation_id = any (%s)",
        [recipe.name, list({draft.conversation_id for draft in drafts})],
    )
    return {(row[0], bytes(row[1])) for row in rows}


def _batched(states: Sequence[State]) -> Iterator[list[State]]:
    remaining = iter(states)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch
