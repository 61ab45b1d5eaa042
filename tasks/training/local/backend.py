"""The local backend: each job is a folder, and a process of its own that trains in it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.settings import Settings
from tasks.training.backend import Artifact, JobState, Prepared, State, TrainingJob
from tasks.training.local import progress
from tasks.training.local.artifact import MANIFEST, check, digest
from tasks.training.local.base import find_base
from tasks.training.local.layout import ARTIFACT, CANCEL, JOB, LOCK, LOG
from tasks.training.local.proof import prove
from tasks.training.local.recipe import read_recipe

_TRIES = 5
_PAUSE_SECONDS = 0.02


class LocalBackend:
    """LoRA adapters trained on this machine; a job's id is the path of its output folder.

    The training process outlives whoever started it. It holds the lock on its folder for as long as
    it lives, so that whoever asks later knows whether it still does; killed, it is carried on by
    submitting the same job again.
    """

    def __init__(self, _settings: Settings) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self, job: TrainingJob) -> Prepared:
        """Check the job as `Backend.prepare` says; it costs nothing but this machine's time."""
        recipe = read_recipe(job.settings)
        proof = prove(job, recipe, find_base(job.base))
        left_out = f"{proof.too_long} examples of more than {recipe.max_length} tokens are left out"
        return Prepared(
            job=job,
            examples=len(proof.train),
            tokens=proof.tokens,
            trained_tokens=proof.trained_tokens,
            too_long=proof.too_long,
            warnings=(left_out,) if proof.too_long else (),
        )

    def submit(self, prepared: Prepared) -> str:
        """Start the training, join the process that is at it, or find that it is done."""
        folder = prepared.job.output.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        job_id = str(folder)
        with _lock(folder) as descriptor:
            _record(folder, prepared.job)
            if descriptor is None or (folder / ARTIFACT / MANIFEST).exists():
                return job_id
            (folder / CANCEL).unlink(missing_ok=True)
            with (folder / LOG).open("ab") as log:
                self._children[job_id] = subprocess.Popen(
                    [sys.executable, "-m", "tasks.training.local", job_id],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(descriptor,),  # the lock is the child's from now on
                    start_new_session=True,
                )
        return job_id

    def find(self, _run_key: str, output: Path) -> str | None:
        """The job of that folder."""
        folder = output.absolute()
        return str(folder) if (folder / JOB).is_file() else None

    def poll(self, job_id: str) -> JobState:
        """How the job stands, from what its process wrote and whether it lives.

        One whose folder is gone has failed: submitted again, it is trained anew.
        """
        if not (Path(job_id) / JOB).is_file():
            return JobState("failed", message=f"{job_id} is gone, and the training with it")
        folder = Path(job_id)
        if child := self._children.get(job_id):
            child.poll()  # an ended child is buried
        with _lock(folder) as descriptor:
            alive = descriptor is None
        lines = progress.read(folder)
        state, message = _state(folder, alive, lines)
        last: dict[str, Any] = next((line for line in reversed(lines) if "loss" in line), {})
        return JobState(state, last.get("step"), last.get("steps"), last.get("loss"), message)

    def cancel(self, job_id: str) -> bool:
        """Ask that the training ends after its step; submitted again, it carries on.

        False: it had succeeded. Of one whose folder is gone nothing is left to end.
        """
        folder = Path(job_id)
        if (folder / ARTIFACT / MANIFEST).exists():
            return False
        if folder.exists():
            (folder / CANCEL).touch()
        return True

    def collect(self, job_id: str) -> Artifact:
        """The adapter's folder, its files checked against the manifest."""
        state = self.poll(job_id)
        if state.state != "succeeded":
            raise Rejected(
                f"The training in {job_id} is {state.state}, and has left nothing yet",
                state.message or "Wait until `poll` says that it succeeded.",
            )
        artifact = _folder(job_id) / ARTIFACT
        manifest = check(artifact)
        return Artifact(
            run_key=manifest["run_key"],
            base=manifest["base"]["name"],
            folder=artifact,
            sha256=digest(artifact),
            metrics=manifest["metrics"],
            base_artifacts=manifest["base"].get("made_from", ()),
        )


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """The lock on a run's folder: its descriptor, or None while a training process holds it.

    Others hold it for a moment, to ask or to submit; only a training process holds it for long.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor if any(_taken(descriptor) for _ in range(_TRIES)) else None
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_PAUSE_SECONDS)
        return False
    return True


def read_job(folder: Path) -> TrainingJob:
    """The job that was submitted into a folder."""
    given = json.loads((folder / JOB).read_text(encoding="utf-8"))
    paths = {
        name: Path(given[name]) for name in ("train", "validation", "output") if given[name]
    }  # fmt: skip
    return TrainingJob(**{**given, **paths})


def _record(folder: Path, job: TrainingJob) -> None:
    """Write the job down beside what comes of it; a folder holds one job for good."""
    said: dict[str, Any] = json.loads(json.dumps(asdict(job), default=_absolute))
    said["output"] = str(folder)
    file = folder / JOB
    if not file.exists():
        unfinished = file.with_suffix(".partial")
        unfinished.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        unfinished.replace(file)
    elif (there := json.loads(file.read_text(encoding="utf-8"))) != said:
        differing = ", ".join(sorted(name for name in said if there.get(name) != said[name]))
        raise Rejected(
            f"{folder} holds another job: {differing} differ",
            "Give each job a run key and an output folder of its own.",
        )


def _absolute(value: object) -> str:
    assert isinstance(value, Path)
    return str(value.absolute())


def _folder(job_id: str) -> Path:
    if not (Path(job_id) / JOB).is_file():
        raise Rejected(f"There is no local training job {job_id}", "Submit it first.")
    return Path(job_id)


def _state(folder: Path, alive: bool, lines: list[dict[str, Any]]) -> tuple[State, str]:
    asked_to_end = (folder / CANCEL).exists()
    if (folder / ARTIFACT / MANIFEST).exists():
        return "succeeded", ""
    if alive:
        return "running", "It ends after this step" if asked_to_end else ""
    if asked_to_end:
        return "cancelled", ""
    if not (folder / LOG).exists():
        return "planned", ""
    return "failed", _why(folder, lines)


def _why(folder: Path, lines: list[dict[str, Any]]) -> str:
    last: dict[str, Any] = lines[-1] if lines else {}
    if last.get("event") == "failed":
        return str(last["message"])
    return (
        "The training process ended without a word; it was killed, or had no memory left "
        f"({folder / LOG}). Submit the job again: it carries on from its last checkpoint."
    )
