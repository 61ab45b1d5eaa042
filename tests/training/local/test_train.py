"""A job on this machine: trained, followed, ended, killed and carried on."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import Rejected
from tasks.settings import Settings
from tasks.training.backend import TrainingJob
from tasks.training.local.artifact import MANIFEST
from tasks.training.local.backend import LocalBackend
from tasks.training.local.layout import ARTIFACT, CHECKPOINTS
from tasks.training.local.perplexity import likelihoods
from tests.training.local.conftest import FACTS, KNOWN, RECIPE, pair, wait, write_lines


def test_an_adapter_learns_what_it_is_taught(trained: Path, tiny: Path) -> None:
    manifest = json.loads((trained / MANIFEST).read_text())
    metrics = manifest["metrics"]
    assert metrics["loss_last"] < metrics["loss_first"] / 5
    assert metrics["validation_nll"] < metrics["validation_nll_base"] / 5
    train = trained.parents[1] / "train.jsonl"
    before, after = likelihoods(str(tiny), train), likelihoods(str(tiny), train, trained)
    assert [one.example for one in before] == [one.example for one in after]
    assert all(new.nll < old.nll for old, new in zip(before, after, strict=True))


def test_the_manifest_names_data_base_settings_packages_and_files(trained: Path) -> None:
    manifest = json.loads((trained / MANIFEST).read_text())
    assert manifest["dataset_sha256"] == "d" * 64
    assert len(manifest["base"]["sha256"]) == 64
    assert manifest["settings"]["r"] == RECIPE["r"]
    assert {"torch", "transformers", "peft", "trl"} <= manifest["packages"].keys()
    files = {one["file"] for one in manifest["files"]}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= files
    assert files | {MANIFEST} == {one.name for one in trained.iterdir()}


def test_preferences_move_the_model_towards_the_better_answer(
    job: TrainingJob, backend: LocalBackend
) -> None:
    pairs = [pair(asked, true, KNOWN[place]) for place, (asked, true) in enumerate(FACTS)]
    train = write_lines(job.train, pairs)
    chosen = replace(
        job, method="dpo", train=train, validation=train,
        settings={**RECIPE, "epochs": 15, "learning_rate": 1e-2},
    )  # fmt: skip
    job_id = backend.submit(backend.prepare(chosen))
    assert wait(backend, job_id).state == "succeeded"
    metrics = backend.collect(job_id).metrics
    assert metrics["loss_first"] == pytest.approx(0.6931, abs=1e-3)  # ln 2: nothing preferred yet
    assert metrics["loss_last"] < 0.3
    assert metrics["validation_preferred"] == 1


def test_a_training_that_was_killed_carries_on_and_ends_with_the_same_manifest(
    job: TrainingJob, backend: LocalBackend, trained: Path
) -> None:
    job_id = backend.submit(backend.prepare(job))
    wait(backend, job_id, lambda state: (state.step or 0) >= 12)
    pid = backend._children[job_id].pid
    os.kill(pid, signal.SIGKILL)
    state = wait(backend, job_id)
    assert state.state == "failed"
    assert "carries on" in state.message
    assert not (job.output / ARTIFACT).exists()
    torn = job.output / CHECKPOINTS / "checkpoint-99"  # killed while it was written
    torn.mkdir()
    (torn / "adapter_model.safetensors").write_bytes(b"half")

    other = LocalBackend(Settings())
    assert other.submit(other.prepare(job)) == job_id
    assert wait(other, job_id).state == "succeeded"
    started = [
        json.loads(line)["resumed_from"]
        for line in (job.output / "progress.jsonl").read_text().splitlines()
        if '"started"' in line
    ]
    assert started[0] is None
    assert int(started[1].removeprefix("checkpoint-")) >= 10
    assert (job.output / ARTIFACT / MANIFEST).read_text() == (trained / MANIFEST).read_text()
    assert not (job.output / CHECKPOINTS).exists()


def test_a_run_is_trained_once_however_often_it_is_submitted_in_a_folder_of_its_own(
    job: TrainingJob, backend: LocalBackend
) -> None:
    prepared = backend.prepare(replace(job, settings={**RECIPE, "epochs": 3}))
    job_id = backend.submit(prepared)
    other = LocalBackend(Settings())
    assert other.submit(prepared) == job_id
    assert other._children == {}
    with pytest.raises(Rejected, match=r"holds another job: run_key differ"):
        other.submit(replace(prepared, job=replace(prepared.job, run_key="other")))
    assert wait(other, job_id).state == "succeeded"
    first = backend.collect(job_id)
    assert other.submit(prepared) == job_id
    assert other._children == {}
    assert other.collect(job_id) == first


def test_a_cancelled_training_ends_and_can_be_carried_on(
    job: TrainingJob, backend: LocalBackend
) -> None:
    prepared = backend.prepare(job)
    job_id = backend.submit(prepared)
    wait(backend, job_id, lambda state: (state.step or 0) >= 2)
    backend.cancel(job_id)
    assert wait(backend, job_id).state == "cancelled"
    with pytest.raises(Rejected, match="cancelled"):
        backend.collect(job_id)
    backend.submit(prepared)
    assert wait(backend, job_id).state == "succeeded"


def test_packed_examples_do_not_see_each_other(
    job: TrainingJob, backend: LocalBackend, trained: Path
) -> None:
    packed = replace(job, settings={**RECIPE, "packing": True, "batch_size": 4, "max_length": 256})
    job_id = backend.submit(backend.prepare(packed))
    assert wait(backend, job_id).state == "succeeded", (job.output / "log.txt").read_text()
    first = json.loads((trained / MANIFEST).read_text())["metrics"]["validation_nll_base"]
    line = next(
        one
        for one in (job.output / "progress.jsonl").read_text().splitlines()
        if '"step": 1,' in one
    )
    assert json.loads(line)["loss"] == pytest.approx(first, rel=1e-3)
