"""Answers for RAFT written by a configured model; each is paid for once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

from psycopg import Connection

from tasks.database import connect
from tasks.datasets.preference import draft_state
from tasks.datasets.raft import WRITTEN, Question
from tasks.endpoint import Endpoint, Patience
from tasks.errors import Fatal, OpenbookError, Rejected
from tasks.settings import Settings

_ASKED = (
    "Answer the question from the passage alone. First copy the sentences that the answer rests "
    f"on, word for word, {WRITTEN} a complete answer of at most three sentences.\n\n"
    "Passage:\n{passage}\n\nQuestion: {question}"
)
_AT_ONCE = 4
_BOUGHT = "raft-answer"
"""The recipe of an answer as it was written, before it is shown among passages."""


class AnswerWriter(Endpoint):
    """Asks a chat model of any OpenAI-compatible endpoint."""

    setting = "ANSWER"
    product = "answer"
    remedy = "Check OPENBOOK_ANSWER_URL and OPENBOOK_ANSWER_MODEL."

    def __init__(self, settings: Settings, stop: Event) -> None:
        """Nothing is sent yet; `stop` ends waiting. Raises Fatal when no model is configured."""
        if not settings.answer_model:
            raise Fatal(
                "raft.answers is model, and none is configured",
                "Set OPENBOOK_ANSWER_MODEL, and OPENBOOK_ANSWER_URL or OPENBOOK_ANSWER_KEY; or "
                "write answers: log.",
            )
        model = settings.answer_model
        super().__init__(settings.answer_url, settings.answer_key, model, Patience())
        self._stop = stop

    def write(self, question: str, passage: str) -> str:
        """The model's words, none where it refuses the question; raises Retryable or Fatal."""
        asked = _ASKED.format(passage=passage, question=question)
        create = partial(
            self._client.chat.completions.create,
            model=self.model,
            messages=[{"role": "user", "content": asked}],
            temperature=0,
        )
        try:
            reply = self.ask(create, self._stop)
        except Rejected:
            return ""
        return reply.choices[0].message.content or "" if reply.choices else ""


def written_key(settings: Settings, one: Question) -> bytes:
    """What an answer is bought for: the model, what it is asked, and the passage."""
    return draft_state([settings.answer_model, one.asked, one.oracle[1]])


def bought_answers(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, str]:
    """The answers that were bought for those keys and are still there."""
    rows = connection.execute(
        "select state, body from openbook.examples where recipe = %s and state = any (%s)",
        [_BOUGHT, list(keys)],
    )
    return {bytes(key): text for key, text in rows}


def write_answers(settings: Settings, wanted: Mapping[bytes, Question]) -> None:
    """Have the answers written, some at once, and keep each as it comes, by its key.

    Raises Retryable or Fatal as the endpoint answers, when those under way are kept too.
    """
    stop = Event()
    writer = AnswerWriter(settings, stop)
    failure: OpenbookError | None = None
    with connect(settings, autocommit=True) as buying, ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = {
            pool.submit(writer.write, one.asked, one.oracle[1]): key for key, one in wanted.items()
        }
        left = set(jobs)
        try:
            while left:
                done, left = wait(left, return_when=FIRST_COMPLETED)
                for job in done:
                    try:
                        text = job.result()
                    except OpenbookError as error:
                        failure = failure or error
                        stop.set()
                        left = {one for one in left if not one.cancel()}
                        continue
                    # What is paid for is kept, whatever comes next.
                    _keep(buying, jobs[job], wanted[jobs[job]], text)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    if failure is not None:
        raise failure


def _keep(connection: Connection, key: bytes, one: Question, text: str) -> None:
    """Keep an answer among the examples, so that it goes with its conversation as they do."""
    digest = hashlib.sha256(text.encode()).digest()
    connection.execute(
        "insert into openbook.examples (recipe, conversation_id, state, sha256, text_sha256,"
        " tokens, turns, ordinals, chunk_ids, words, signature, body)"
        " values (%s, %s, %s, %s, %s, 0, 0, %s, %s, '', '', %s) on conflict do nothing",
        [
            _BOUGHT,
            one.conversation_id,
            key,
            digest,
            digest,
            list(one.ordinals),
            [one.oracle[0]],
            text,
        ],
    )
