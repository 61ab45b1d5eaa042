"""Answers for RAFT written by a configured model; each is paid for once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

from tasks.database import connect
from tasks.datasets.example import Recipe
from tasks.datasets.raft import WRITTEN, Question, raft_draft
from tasks.datasets.spec import Raft
from tasks.datasets.store import store_drafts
from tasks.endpoint import Endpoint, Patience
from tasks.errors import Fatal, OpenbookError, Rejected
from tasks.settings import Settings

_ASKED = (
    "Answer the question from the passage alone. First copy the sentences that the answer rests "
    f"on, word for word, {WRITTEN} a complete answer of at most three sentences.\n\n"
    "Passage:\n{passage}\n\nQuestion: {question}"
)
_AT_ONCE = 4


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


def write_answers(
    settings: Settings, recipe: Recipe, raft: Raft, asked: Sequence[Question]
) -> None:
    """Have the answers written, some at once, and keep the example of each as it comes.

    Raises Retryable or Fatal as the endpoint answers, when those under way are kept too.
    """
    stop = Event()
    writer = AnswerWriter(settings, stop)
    failure: OpenbookError | None = None
    with connect(settings, autocommit=True) as buying, ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = {pool.submit(raft_draft, one, raft, writer.write) for one in asked}
        try:
            while jobs:
                done, jobs = wait(jobs, return_when=FIRST_COMPLETED)
                for job in done:
                    try:
                        draft = job.result()
                    except OpenbookError as error:
                        failure = failure or error
                        stop.set()
                        jobs = {one for one in jobs if not one.cancel()}
                        continue
                    with buying.transaction():  # what is paid for is kept, whatever comes next
                        store_drafts(buying, recipe, [draft])
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    if failure is not None:
        raise failure
