"""A real HTTP server on loopback that speaks the fine-tuning API, and misbehaves on request.

What it holds is in a file, so that it outlives the server and can be counted afterwards.
"""

from __future__ import annotations

import email
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from tests.endpoint import Body, Handler, Misbehaviour, error
from tests.loopback import listening

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Fault:
    """A misbehaviour for the next request whose "METHOD /path" holds `on`.

    `instead`: nothing is done; `after`: what was asked for is done first; `before`: it only comes
    before the right answer, a pause say.
    """

    misbehave: Misbehaviour
    on: str = "POST /"
    when: Literal["instead", "after", "before"] = "instead"


@dataclass
class TrainingProvider:
    """What the server does, and what it has seen. Each look at a job brings it one stage further.

    `page` is the most that one page of a list holds; `ending` is how jobs end; `refusal` is the
    status and the message with which new jobs are refused. `keeps_metadata` and `filters` are what
    poorer providers lack; `listed_file_status` is what uploaded files are said to be.
    """

    url: str
    state: Path
    page: int = 2
    ending: str = "succeeded"
    refusal: tuple[int, str] | None = None
    keeps_metadata: bool = True
    filters: bool = True
    knows_cursors: bool = True
    file_status: str = "processed"
    models: dict[str, str | None] = field(
        default_factory=lambda: {"small-model": None, "old-model": "2027-01-14"}
    )
    requests: list[str] = field(default_factory=list)
    orders: list[Body] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    lock: Lock = field(default_factory=Lock)

    def then(self, *faults: Fault) -> None:
        """Misbehave so, one each, on the next requests that they are for."""
        self.faults.extend(faults)

    @property
    def files(self) -> list[Body]:
        """The files that were uploaded, oldest first."""
        return list(self._load()["files"])

    @property
    def jobs(self) -> list[Body]:
        """The jobs that were launched, oldest first."""
        return list(self._load()["jobs"])

    def done(self, order: str) -> bool:
        """Whether what such a request asks for has been done at least once."""
        return bool(self.files if order == "POST /files" else self.jobs)

    def fault(self, request: str) -> Fault | None:
        """The fault that is due at this request, if one is."""
        with self.lock:
            self.requests.append(request)
            if self.faults and self.faults[0].on in request:
                return self.faults.popleft()
        return None

    def do(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Body]:
        """Do what a request asks for; the right answer."""
        with self.lock:
            state = self._load()
            answer = self._route(method, path.strip("/").split("/"), query, body, state)
            partial = self.state.with_suffix(".partial")
            partial.write_text(json.dumps(state))
            partial.replace(self.state)
        return answer

    def _load(self) -> dict[str, Any]:
        if not self.state.exists():
            return {"files": [], "jobs": [], "events": {}}
        return dict(json.loads(self.state.read_text()))

    def _route(
        self, method: str, path: list[str], query: dict[str, str], body: Any, state: dict[str, Any]
    ) -> tuple[int, Body]:
        match (method, *path):
            case ("POST", "files"):
                answer = self._upload(body, state)
            case ("GET", "files"):
                files = [one for one in state["files"] if one["purpose"] == query["purpose"]]
                answer = 200, self._paged(files, query)
            case ("GET", "files", file_id):
                answer = _found(_by_id(state["files"], file_id))
            case ("GET", "models"):
                answer = 200, {"object": "list", "data": self._models()}
            case ("POST", "fine_tuning", "jobs"):
                answer = self._launch(body, state)
            case ("GET", "fine_tuning", "jobs"):
                answer = 200, self._paged(self._jobs_like(query, state), query)
            case (_, "fine_tuning", "jobs", job_id, *rest) if job := _by_id(state["jobs"], job_id):
                answer = self._of_job(method, job, rest, query, state)
            case _:
                answer = _found(None)
        return answer

    def _models(self) -> list[Body]:
        return [
            {"id": name, "object": "model", "created": 1, "owned_by": "loopback"}
            | ({"shutdown_date": end} if end else {})
            for name, end in self.models.items()
        ]

    def _jobs_like(self, query: dict[str, str], state: dict[str, Any]) -> list[Body]:
        wanted = {
            name[len("metadata[") : -1]: value
            for name, value in query.items()
            if name.startswith("metadata[")
        }
        return [
            one
            for one in reversed(state["jobs"])
            if not self.filters or wanted.items() <= (one["metadata"] or {}).items()
        ]

    def _upload(self, body: Any, state: dict[str, Any]) -> tuple[int, Body]:
        name, content = body["file"]
        for line in content.splitlines():
            if not {"messages", "preferred_output"} & set(json.loads(line)):
                return 400, error(f"{name} is not a training file", param="file")
        file = {
            "id": f"file-{len(state['files']) + 1}",
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": body["purpose"],
            "status": self.file_status,
        }
        state["files"].append(file)
        return 200, file

    def _launch(self, body: Any, state: dict[str, Any]) -> tuple[int, Body]:
        self.orders.append(body)
        if self.refusal:
            return self.refusal[0], error(self.refusal[1], code="permission_denied")
        if body["model"] not in self.models:
            return 404, error(f"The model {body['model']} does not exist", code="model_not_found")
        for name in ("training_file", "validation_file"):
            if body.get(name) is not None and _by_id(state["files"], body[name]) is None:
                return 400, error(f"{body[name]} does not exist", param=name)
        kind = body["method"]["type"]
        job = {
            "id": f"ftjob-{len(state['jobs']) + 1}",
            "object": "fine_tuning.job",
            "created_at": int(time.time()),
            "model": f"{body['model']}-2026-01-01",
            "status": "validating_files",
            "training_file": body["training_file"],
            "validation_file": body.get("validation_file"),
            "metadata": body.get("metadata") if self.keeps_metadata else None,
            "method": body["method"],
            "hyperparameters": body["method"][kind]["hyperparameters"],
            "seed": body.get("seed", 7),
            "suffix": body.get("suffix"),
            "organization_id": "org-loopback",
            "result_files": [],
            "fine_tuned_model": None,
            "trained_tokens": None,
            "error": None,
        }
        state["jobs"].append(job)
        _tell(state, job, "Created fine-tuning job")
        return 200, job

    def _of_job(
        self, method: str, job: Body, rest: list[str], query: dict[str, str], state: dict[str, Any]
    ) -> tuple[int, Body]:
        match (method, *rest):
            case ("GET",):
                self._advance(job, state)
                return 200, job
            case ("POST", "cancel"):
                if job["status"] in ENDED:
                    return 400, error(f"the job has {job['status']}")
                job["status"] = "cancelled"
                return 200, job
            case ("GET", "events"):
                return 200, self._paged(state["events"][job["id"]][::-1], query)
            case ("GET", "checkpoints"):
                done = job["status"] == "succeeded"
                return 200, self._paged([_checkpoint(job, step) for step in (20, 10)] * done, query)
        return 404, error("no such path")

    def _advance(self, job: Body, state: dict[str, Any]) -> None:
        stages = ["validating_files", "queued", "running", self.ending]
        if job["status"] in ENDED:
            return
        job["status"] = stages[stages.index(job["status"]) + 1]
        if job["status"] == "running":
            for step, loss in ((10, 1.5), (20, 0.5)):
                measured = {"step": step, "total_steps": 20, "train_loss": loss}
                _tell(state, job, f"Step {step}/20: training loss={loss}", measured)
        if job["status"] == "succeeded":
            job["trained_tokens"] = 12_000
            job["fine_tuned_model"] = f"ft:{job['model']}:loopback:{job['suffix']}:{job['id']}"
            _tell(state, job, "The job has successfully completed")
        if job["status"] == "failed":
            job["error"] = {
                "code": "invalid_training_file",
                "message": "line 3 is not of this world",
            }

    def _paged(self, items: list[Body], query: dict[str, str]) -> Body:
        places = {one["id"]: place for place, one in enumerate(items)}
        start = places.get(query.get("after", ""), -1) + 1 if self.knows_cursors else 0
        end = start + min(self.page, int(query.get("limit", self.page)))
        return {"object": "list", "data": items[start:end], "has_more": end < len(items)}


@contextmanager
def training_provider(state: Path, port: int = 0) -> Iterator[TrainingProvider]:
    """Serve what is in `state` on a port of loopback, a free one unless one is named."""
    with listening(_ProviderHandler, port) as (server, address):
        provider = TrainingProvider(f"{address}/v1", state)
        server.provider = provider  # type: ignore[attr-defined]
        yield provider


class _ProviderHandler(Handler):
    def do_GET(self) -> None:  # noqa: N802
        """Answer one question."""
        self._serve("GET", None)

    def do_POST(self) -> None:  # noqa: N802
        """Do one thing."""
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            self._serve("POST", _read_form(kind, content))
        else:
            self._serve("POST", json.loads(content) if content else {})

    def _serve(self, method: str, body: Any) -> None:
        provider: TrainingProvider = self.server.provider  # type: ignore[attr-defined]
        address = urlsplit(self.path)
        path = address.path.removeprefix("/v1")
        fault = provider.fault(f"{method} {path}")
        if fault is not None and fault.when == "instead":
            fault.misbehave(self, {})
            return
        if fault is not None and fault.when == "before":
            fault.misbehave(self, {})
        status, answer = provider.do(method, path, dict(parse_qsl(address.query)), body)
        if fault is not None and fault.when == "after":
            fault.misbehave(self, answer)
        else:
            self.answer(status, answer)


def _read_form(kind: str, content: bytes) -> dict[str, Any]:
    """The fields of a form; a file is its name and its bytes."""
    message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + content)
    fields: dict[str, Any] = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            filename = part.get_filename()
            fields[name] = (filename, payload) if filename else payload.decode()
    return fields


def _by_id(items: list[Body], wanted: str) -> Body | None:
    return next((one for one in items if one["id"] == wanted), None)


def _found(item: Body | None) -> tuple[int, Body]:
    return (404, error("no such object")) if item is None else (200, item)


def _tell(state: dict[str, Any], job: Body, message: str, data: Body | None = None) -> None:
    told = state["events"].setdefault(job["id"], [])
    told.append(
        {
            "id": f"ftevent-{job['id']}-{len(told) + 1}",
            "object": "fine_tuning.job.event",
            "created_at": int(time.time()),
            "level": "info",
            "message": message,
            "type": "metrics" if data else "message",
            "data": data,
        }
    )


def _checkpoint(job: Body, step: int) -> Body:
    return {
        "id": f"ftckpt-{job['id']}-{step}",
        "object": "fine_tuning.job.checkpoint",
        "created_at": int(time.time()),
        "fine_tuned_model_checkpoint": f"{job['fine_tuned_model']}:ckpt-step-{step}",
        "fine_tuning_job_id": job["id"],
        "step_number": step,
        "metrics": {"step": step, "train_loss": 10 / step},
    }
