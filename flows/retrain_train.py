"""The training of a cycle: submitted once, looked at, and taken into the registry."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg import Connection

from tasks.datasets.export import export
from tasks.datasets.stale import MANIFEST
from tasks.datasets.versions import versions
from tasks.errors import Rejected
from tasks.settings import Settings
from tasks.training.backend import Backend, JobState, TrainingJob, open_backend
from tasks.training.cycles import Cycle, Refused, Waiting, advance, stumble
from tasks.training.policy import check_price
from tasks.training.registry import Candidate, register
from tasks.training.runs import (
    Run,
    folder_of,
    forget_job,
    note_job,
    note_metrics,
    note_state,
    run_of,
    stop,
)

OPENAI = "https://api.openai.com/v1"
_TRIES = 3
"""How often a local training that died is carried on."""


def train(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Submit the training where that was not done, and look how it stands."""
    assert cycle.training_run_id is not None
    run = run_of(connection, cycle.training_run_id)
    backend = open_backend(cycle.backend, settings)
    version = _version(connection, cycle)
    if version is None or version["tainted_at"] is not None:
        stop(connection, backend, run, folder_of(settings, run))
        connection.commit()
        raise _withdrawn(version)
    job_id = run.job_id
    if job_id is None and run.state == "submitting":  # it may have been taken, whatever is too dear
        job_id = backend.find(run.run_key, folder_of(settings, run))
    if job_id is None:
        job_id = _submit(connection, settings, backend, cycle, run=run, version=version)
    state = backend.poll(job_id)
    if cycle.backend == "local":  # the other keeps its row itself
        note_state(connection, run, state)
    if state.state == "succeeded":
        advance(connection, cycle, "register", f"training {run.id} succeeded")
        return
    if state.state == "failed" and cycle.backend == "local" and cycle.attempts < _TRIES:
        stumble(connection, cycle, f"training {run.id} failed: {state.message}")
        forget_job(connection, run)  # submitted again, it goes on from its last checkpoint
        connection.commit()
        raise Waiting(f"training {run.id} failed, and is carried on by the next run")
    if state.ended:
        raise Rejected(f"training {run.id} {state.state}: {state.message}", "Begin another cycle.")
    at = f", step {state.step} of {state.steps}" if state.step and state.steps else ""
    raise Waiting(f"training {run.id} of {cycle.base} is {state.state}{at}")


def _submit(
    connection: Connection,
    settings: Settings,
    backend: Backend,
    cycle: Cycle,
    *,
    run: Run,
    version: Mapping[str, Any],
) -> str:
    """Export, check the price, and submit; the job's id, which is committed."""
    wanted = cycle.wanted
    folder = folder_of(settings, run)
    data = _exported(connection, settings, version, folder.with_name("data"))
    most = wanted.policy.max_usd
    limits = {"max_usd": most} if cycle.backend == "openai" and most is not None else {}
    validation = data / "validation.jsonl"
    prepared = backend.prepare(
        TrainingJob(
            run_key=run.run_key,
            method="dpo" if version["kind"] == "preference" else "sft",
            base=cycle.base,
            train=data / "train.jsonl",
            validation=validation if validation.exists() else None,
            output=folder,
            dataset_sha256=version["content_sha256"],
            settings={**wanted.settings, **limits},
        )
    )
    check_price(connection, wanted.policy, prepared.price_usd)
    connection.commit()
    job_id = backend.submit(prepared)
    note_job(connection, run, job_id, prepared.price_usd)
    connection.commit()
    return job_id


def _exported(
    connection: Connection, settings: Settings, version: Mapping[str, Any], folder: Path
) -> Path:
    """The folder with the version's files, written once: a training may read them already."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        export(connection, settings, _called(version), folder)
        connection.commit()
    if not (folder / "train.jsonl").exists():
        raise Rejected(f"{_called(version)} has nothing to train on", "Log more conversations.")
    return folder


def take_in(connection: Connection, settings: Settings, cycle: Cycle) -> None:
    """Collect what the training made, and register it."""
    assert cycle.training_run_id is not None
    run = run_of(connection, cycle.training_run_id)
    assert run.job_id is not None
    try:
        made = open_backend(cycle.backend, settings).collect(run.job_id)
    except Rejected as lost:  # the next cycle trains anew
        note_state(connection, run, JobState("failed", message=str(lost)))
        connection.commit()
        raise
    with connection.transaction():
        note_metrics(connection, run, made.metrics)
        model = register(
            connection,
            Candidate(
                name=cycle.wanted.name,
                base=made.base,
                base_artifacts=[bytes.fromhex(one) for one in made.base_artifacts],
                training_run_id=run.id,
                dataset_version_id=cycle.dataset_version_id,
                endpoint_url=(settings.train_url or OPENAI) if made.model else None,
                endpoint_model=made.model,
                artifact=None if made.folder is None else str(made.folder),
                artifact_sha256=None if made.sha256 is None else bytes.fromhex(made.sha256),
                host=None if made.folder is None else socket.gethostname(),
            ),
        )
        advance(connection, cycle, "evaluate", f"{model.called} is registered",
                candidate_id=model.id)  # fmt: skip


def _version(connection: Connection, cycle: Cycle) -> dict[str, Any] | None:
    rows = versions(connection)
    return next((one for one in rows if one["version_id"] == cycle.dataset_version_id), None)


def _withdrawn(version: Mapping[str, Any] | None) -> Refused:
    if version is None:
        return Refused("the dataset's version was deleted meanwhile", "Begin another cycle.")
    return Refused(
        f"something of {_called(version)} was forgotten meanwhile",
        "The next cycle trains on a version without it.",
    )


def _called(version: Mapping[str, Any]) -> str:
    return f"{version['dataset']}@{version['version']}"
