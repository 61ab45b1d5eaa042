"""A provider of the fine-tuning API: what it is asked, and what its refusals mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event
from typing import Any, BinaryIO, TypeVar

import openai
from openai.types import FileObject, Model
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from tasks.endpoint import Answer, Endpoint, Patience, TryAgain
from tasks.errors import Fatal, Rejected, Retryable
from tasks.settings import Settings

_ELSEWHERE = (
    "Train on a machine of your own with the backend `local`, or name another provider in "
    "OPENBOOK_TRAIN_URL and OPENBOOK_TRAIN_KEY."
)
_PAGE = 100

Item = TypeVar("Item", FileObject, FineTuningJob, FineTuningJobEvent, FineTuningJobCheckpoint)


class TurnedAway(TryAgain):
    """The provider has too much to do: it did nothing, for certain."""


class Withheld(Fatal):
    """The provider does not do this, for this key at least."""


class Unknown(Withheld):
    """The provider knows nothing under this name: what was asked of is gone, or never was."""


class Unsaid(Retryable):
    """The provider turned a question down, which says nothing of how a training went."""


class Provider(Endpoint):
    """What the settings `OPENBOOK_TRAIN_…` name. Asking is repeated; ordering never is, here."""

    setting = "TRAIN"
    product = "training"
    remedy = "Check OPENBOOK_TRAIN_URL and the base model's name."

    def __init__(
        self, settings: Settings, patience: Patience | None = None, settles: float = 120.0
    ) -> None:
        """Nothing is sent yet. `settles` is how many seconds later what was sent may still arrive:
        more than an answer is waited for. Raises Fatal for an unusable key."""
        patience = patience or Patience(tries=4, answer_within=60.0)
        self.settles = settles
        super().__init__(settings.train_url, settings.train_key, "", patience)
        self._tunings = self._client.fine_tuning.jobs

    def file(self, file_id: str) -> FileObject | None:
        """An uploaded file; None when the provider has none of that id."""
        try:
            return self._read(lambda: self._client.files.retrieve(file_id), FileObject)
        except Unknown:
            return None

    def files(self) -> Iterator[FileObject]:
        """All files that were uploaded for training, oldest first."""
        return self._all(lambda: self._client.files.list(purpose="fine-tune", order="asc"))

    def upload(self, name: str, content: BinaryIO) -> FileObject:
        """Send a file, once."""
        return self._order(
            lambda: self._client.files.create(file=(name, content), purpose="fine-tune"), FileObject
        )

    def job(self, job_id: str) -> FineTuningJob:
        """A job as it stands."""
        return self._read(lambda: self._tunings.retrieve(job_id), FineTuningJob)

    def jobs(self, metadata: dict[str, str]) -> Iterator[FineTuningJob]:
        """The jobs with that metadata, newest first; all jobs, of a provider that does not look."""
        return self._all(lambda: self._tunings.list(metadata=metadata, limit=_PAGE))

    def launch(self, run_key: str, order: dict[str, Any]) -> FineTuningJob:
        """Order a job, once. The run's key goes along for whoever keeps one order a key."""
        return self._order(
            lambda: self._tunings.create(**order, extra_headers={"Idempotency-Key": run_key}),
            FineTuningJob,
        )

    def cancel(self, job_id: str) -> FineTuningJob:
        """Ask that a job ends. Raises Rejected for one that has ended."""
        return self.ask(lambda: _require(self._tunings.cancel(job_id), FineTuningJob), Event())

    def events(self, job_id: str) -> Iterator[FineTuningJobEvent]:
        """What a job told, newest first as a rule."""
        return self._all(lambda: self._tunings.list_events(job_id, limit=_PAGE))

    def checkpoints(self, job_id: str) -> Iterator[FineTuningJobCheckpoint]:
        """The models that a job left on its way."""
        return self._all(lambda: self._tunings.checkpoints.list(job_id, limit=_PAGE))

    def models(self) -> list[Model]:
        """The models that the key may use."""
        page = self.ask(self._client.models.list, Event())
        return [one for one in getattr(page, "data", None) or [] if isinstance(one, Model)]

    def wait(self, tries: int, refusal: TurnedAway) -> bool:
        """Wait as the provider asks before the next of `tries`; whether one is worth it."""
        seconds = self._patience.wait(tries, refusal.wait)
        if seconds is not None:
            time.sleep(seconds)
        return seconds is not None

    def _read(self, send: Callable[[], Answer], kind: type[Answer]) -> Answer:
        return self._look(lambda: _require(send(), kind))

    def _look(self, send: Callable[[], Answer]) -> Answer:
        try:
            return self.ask(send, Event())
        except Rejected as refusal:
            raise Unsaid(
                f"a question was turned down: {refusal.message}",
                "Run it again later; see what lies between here and the provider.",
            ) from None

    def _order(self, send: Callable[[], Answer], kind: type[Answer]) -> Answer:
        return self._try(lambda: _require(send(), kind))

    def _all(self, first: Callable[[], Any]) -> Iterator[Any]:
        """The items of all pages, each once, also where `after` is not understood."""
        page = self._look(lambda: _require_page(first()))
        seen: set[str] = set()
        while True:
            fresh = [one for one in page.data if one.id not in seen]
            yield from fresh
            seen.update(one.id for one in fresh)
            if not fresh or not page.has_next_page():
                return
            page = self._look(partial(_page_after, page))

    def _try(self, send: Callable[[], Answer]) -> Answer:
        try:
            return super()._try(send)
        except ValueError as error:
            raise TryAgain(f"its answer is not JSON: {error}"[:200]) from None

    def _reason(self, error: openai.APIStatusError) -> Exception:
        reason = super()._reason(error)
        if error.status_code == 429 and isinstance(reason, TryAgain):
            return TurnedAway(str(reason), reason.wait)
        if error.status_code in (403, 404, 410):
            said = self._quote(f"{error.status_code}: {_said(error)}")
            kind = Withheld if error.status_code == 403 else Unknown
            return kind(f"{self.url} does not do this ({said})", _ELSEWHERE)
        return reason


def _said(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _require(answer: Answer, kind: type[Answer]) -> Answer:
    if not isinstance(answer, kind) or not isinstance(getattr(answer, "id", None), str):
        raise TryAgain(f"its answer is not a {kind.__name__}")
    return answer


def _page_after(page: Any) -> Any:
    return _require_page(page.get_next_page())


def _require_page(page: Any) -> Any:
    items = getattr(page, "data", None)
    if not isinstance(items, list) or not all(
        isinstance(getattr(one, "id", None), str) for one in items
    ):
        raise TryAgain("its answer is not a list")
    return page
