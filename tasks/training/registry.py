"""The registry: which models there are, what each was made of, and which one serves a task."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.errors import Fatal, OpenbookError, Rejected, Retryable
from tasks.records import ChatModel
from tasks.settings import Settings
from tasks.training.local.artifact import check
from tasks.training.local.examples import sha256_of

ANSWER = "answer"
"""The task of the models that `openbook answer` asks."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that comes into the registry: where it is, and what it was made of.

    `base_artifacts` are the `artifact_sha256` of the adapters that were merged into its base.
    """

    name: str
    base: str
    task: str = ANSWER
    training_run_id: int | None = None
    dataset_version_id: int | None = None
    base_sha256: bytes | None = None
    base_artifacts: list[bytes] = field(default_factory=list)
    endpoint_url: str | None = None
    endpoint_model: str | None = None
    artifact: str | None = None
    artifact_sha256: bytes | None = None
    host: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    retires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a model in the registry; `dataset` is NAME@VERSION of what it was trained on."""

    id: int
    task: str
    name: str
    version: int
    stage: str
    base: str
    training_run_id: int | None
    dataset_version_id: int | None
    dataset: str | None
    endpoint_url: str | None
    endpoint_model: str | None
    artifact: str | None
    artifact_sha256: bytes | None
    served_sha256: bytes | None
    host: str | None
    settings: dict[str, Any]
    tainted_at: datetime | None
    retires_on: date | None
    registered_at: datetime

    @property
    def called(self) -> str:
        """What people call it: NAME@VERSION."""
        return f"{self.name}@{self.version}"

    @property
    def is_trained(self) -> bool:
        """Whether it was trained here, or on a dataset of ours."""
        return self.training_run_id is not None or self.dataset_version_id is not None

    def chat_model(self, settings: Settings) -> ChatModel:
        """Where it is asked; raises Fatal for one that no server has yet."""
        if self.endpoint_model is None:
            raise Fatal(
                f"{self.called} is not served yet, so that nobody can ask it",
                f"Serve it and say where: openbook models register {self.called} --model NAME "
                "--url URL.",
            )
        url = self.endpoint_url or settings.answer_url
        window = {"window": int(self.settings["window"])} if "window" in self.settings else {}
        sha256 = self.served_sha256.hex() if self.served_sha256 else None
        return ChatModel(self.called, self.endpoint_model, url, self.id, sha256=sha256, **window)

    def as_json(self) -> dict[str, Any]:
        """Its fields, the hashes in hexadecimal."""
        hashes = {"artifact_sha256": self.artifact_sha256, "served_sha256": self.served_sha256}
        return asdict(self) | {name: one.hex() if one else None for name, one in hashes.items()}


def register(connection: Connection, candidate: Candidate) -> Registered:
    """Give the model the next version of its name; what a training made already stays as it is.

    One whose dataset is tainted, or one of those that its base was made from, is registered as
    tainted. Raises Fatal for a name with an @.
    """
    if "@" in candidate.name or not candidate.name.strip():
        raise Fatal(
            f"{candidate.name!r} cannot be a model's name", "Use one without @; versions follow it."
        )
    values = {**asdict(candidate), "settings": Jsonb(candidate.settings)}
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('openbook.chat_models'))")
        row = connection.execute(query("chat_model_register"), values).fetchone()
        assert row is not None
        return _select(connection, id=row[0])[0]


def learned(connection: Connection, model: Registered) -> list[int]:
    """The versions of datasets that it learned: its own, and those of what it is made from."""
    rows = connection.execute(query("chat_model_learned"), {"model": model.id}).fetchall()
    return [int(id) for (id,) in rows]


def place(connection: Connection, model: Registered, name: str, url: str | None) -> Registered:
    """Say under which name, and at which base URL, a server has the model now.

    A name that is a file's absolute path is remembered with the sha256 of the file.
    """
    file = Path(name)
    is_file = file.is_absolute() and file.is_file()
    sha256 = bytes.fromhex(sha256_of(file)) if is_file else None
    with connection.transaction():
        connection.execute(
            "update openbook.chat_models"
            " set endpoint_model = %s, endpoint_url = %s, served_sha256 = %s where id = %s",
            [name, url, sha256, model.id],
        )
        return _select(connection, id=model.id)[0]


def chat_models(connection: Connection, task: str | None = None) -> list[Registered]:
    """All models of the task, by name and version; of all tasks without one."""
    return _select(connection, task=task)


def find_model(connection: Connection, called: str, task: str = ANSWER) -> Registered:
    """The model NAME@VERSION, or the newest version of NAME; raises Fatal for an unknown one."""
    name, _, version = called.partition("@")
    number = int(version) if version.isdecimal() else None
    found = [] if version and number is None else _select(
        connection, task=task, name=name, version=number
    )  # fmt: skip
    if not found:
        raise Fatal(
            f"There is no model {called} in the registry", "See them with: openbook models."
        )
    return found[-1]


def model_of(connection: Connection, id: int) -> Registered:
    """The model of that number; raises Fatal where it is gone."""
    found = _select(connection, id=id)
    if not found:
        raise Fatal(f"Model {id} is no longer in the registry", "See them with: openbook models.")
    return found[0]


def serving(connection: Connection, task: str = ANSWER) -> Registered | None:
    """The registry's serving model of the task."""
    found = _select(connection, task=task, serving=True)
    return found[0] if found else None


def serving_model(
    connection: Connection, settings: Settings, task: str = ANSWER
) -> ChatModel | None:
    """Who answers: the registry's serving model, else the configured one, else None."""
    registered = serving(connection, task)
    return registered.chat_model(settings) if registered else configured_model(settings)


def configured_model(settings: Settings) -> ChatModel | None:
    """The model of OPENBOOK_ANSWER_MODEL; None where none is set."""
    name = settings.answer_model
    return (
        ChatModel(name, name, settings.answer_url, window=settings.answer_window) if name else None
    )


def untrained_model(
    connection: Connection, settings: Settings, task: str = ANSWER
) -> ChatModel | None:
    """The serving model of the task if nobody trained it here, else the configured one."""
    registered = serving(connection, task)
    if registered is not None and not registered.is_trained:
        return registered.chat_model(settings)
    return configured_model(settings)


def is_upon(connection: Connection, model: Registered, base: ChatModel) -> bool:
    """Whether the model was trained upon the base, by what both are called."""
    row = connection.execute(
        "select openbook.base_name(%s) = openbook.base_name(coalesce("
        "(select m.base from openbook.chat_models m where m.id = %s), %s))",
        [model.base, base.id, base.name],
    ).fetchone()
    return row is not None and bool(row[0])


def promote(
    connection: Connection,
    model: Registered,
    expected: int | None,
    decision: int | None = None,
    reason: str | None = None,
) -> int:
    """Let the model serve its task in place of `expected`; the id of the promotion.

    Raises Retryable when another model serves by now, Fatal for one that is tainted, shut down,
    altered or not served, or which the decision is not about.
    """
    check_artifact(model)
    return _change(
        connection,
        "select openbook.promote_model(%s, %s, %s, %s)",
        [model.id, expected, decision, reason],
    )


def retire(connection: Connection, model: Registered) -> None:
    """Write down that the gate kept the candidate out; it can still be promoted by hand."""
    connection.execute(
        "update openbook.chat_models set stage = 'retired' where id = %s and stage = 'candidate'",
        [model.id],
    )


def note_retirements(connection: Connection, days: Mapping[str, date]) -> list[Registered]:
    """Write down when providers shut models down; the models of which that is news.

    `days` are by the provider's name; a model ends with its base.
    """
    rows = connection.execute(
        query("chat_models_retire"), {"models": list(days), "days": list(days.values())}
    ).fetchall()
    return [model_of(connection, id) for (id,) in sorted(rows)]


def rollback(
    connection: Connection, expected: int | None, task: str = ANSWER, reason: str | None = None
) -> int:
    """Let serve again what served before `expected`; the id of the promotion.

    Where that was no model of the registry, the configured one answers again. Raises as promote.
    """
    return _change(
        connection, "select openbook.rollback_model(%s, %s, %s)", [task, expected, reason]
    )


def check_artifact(model: Registered) -> None:
    """Raise Fatal where the adapter on this machine is not the one that was registered."""
    file = Path(model.endpoint_model or "")
    served = model.served_sha256
    if served is not None and file.is_file() and sha256_of(file) != served.hex():
        raise Fatal(
            f"{model.called} is not what was registered: {file} was altered since",
            f"Put the file back, or register it anew: openbook models register {model.called} "
            f"--model {file} --url {model.endpoint_url}.",
        )
    if (
        model.artifact is None
        or model.artifact_sha256 is None
        or model.host != socket.gethostname()
    ):
        return
    manifest = Path(model.artifact) / "manifest.json"
    try:
        found = hashlib.sha256(manifest.read_bytes()).digest()
    except OSError as error:
        raise Fatal(
            f"The adapter of {model.called} cannot be read: {error}",
            "Put its folder back, or train it again.",
        ) from None
    try:
        if found != model.artifact_sha256:
            raise Rejected(f"{manifest} was altered since the training ended")
        check(Path(model.artifact))
    except Rejected as altered:
        raise Fatal(
            f"{model.called} is not what was registered: {altered.message}",
            "Put the folder back from a copy, or train it again.",
        ) from None


def _change(connection: Connection, statement: str, parameters: list[Any]) -> int:
    try:
        with connection.transaction():
            row = connection.execute(statement.encode(), parameters).fetchone()
    except (psycopg.errors.RaiseException, psycopg.errors.SerializationFailure) as error:
        kind: type[OpenbookError] = (
            Retryable if isinstance(error, psycopg.errors.SerializationFailure) else Fatal
        )
        raise kind(error.diag.message_primary or "", error.diag.message_hint or "") from None
    assert row is not None
    return int(row[0])


def _select(
    connection: Connection,
    *,
    task: str | None = None,
    name: str | None = None,
    version: int | None = None,
    id: int | None = None,
    serving: bool = False,
) -> list[Registered]:
    values = {"task": task, "name": name, "version": version, "id": id, "serving": serving}
    with connection.cursor(row_factory=class_row(Registered)) as cursor:
        return cursor.execute(query("chat_models"), values).fetchall()
