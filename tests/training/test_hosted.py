"""Training at a provider: what it is sent, what is told of it, and what is refused before it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.datasets.export import export
from tasks.errors import Fatal, Rejected, Retryable
from tasks.training.backend import TrainingJob, open_backend
from tasks.training.hosted.backend import HostedBackend
from tasks.training.hosted.retirements import retirements
from tests.datasets.conftest import Log, log
from tests.endpoint import cut_body, status
from tests.training.conftest import HASTE, Workshop, write_export
from tests.training.provider import Fault, TrainingProvider

__all__ = ["log"]


def test_a_job_is_ordered_with_its_files_and_settings_and_ends_as_a_model(
    workshop: Workshop, connection: psycopg.Connection
) -> None:
    backend = workshop.backend()
    prepared = backend.prepare(workshop.job())
    assert (prepared.examples, prepared.tokens, prepared.price_usd) == (12, 4_000, 0.036)
    job_id = backend.submit(prepared)
    order = workshop.provider.orders[0]
    assert order["metadata"] == {"run_key": "run-1"}
    assert order["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 3}},
    }
    assert (order["seed"], order["suffix"]) == (3, "support")
    sent = {one["id"]: one for one in workshop.provider.files}
    for split in ("train", "validation"):
        path = workshop.export / f"{split}.jsonl"
        id_of = order["training_file" if split == "train" else "validation_file"]
        assert sent[id_of]["bytes"] == path.stat().st_size
    states = [backend.poll(job_id) for _ in range(3)]
    assert [one.state for one in states] == ["running", "running", "succeeded"]
    assert (states[1].step, states[1].steps, states[1].loss) == (20, 20, 0.5)
    made = backend.collect(job_id)
    assert made.model == workshop.provider.jobs[0]["fine_tuned_model"]
    assert made.metrics["trained_tokens"] == 12_000
    row = connection.execute(
        "select state, usd::double precision, metrics from training_runs"
    ).fetchone()
    assert row is not None
    assert row[:2] == ("succeeded", 0.036)
    assert [one["step"] for one in row[2]["checkpoints"]] == [20, 10]


def test_events_are_kept_once_each_in_their_order(
    workshop: Workshop, connection: psycopg.Connection
) -> None:
    job_id = workshop.submit()
    for _ in range(5):
        workshop.backend().poll(job_id)
    told = connection.execute(
        "select ordinal, message from training_events order by ordinal"
    ).fetchall()
    assert told == [
        (1, "Created fine-tuning job"),
        (2, "Step 10/20: training loss=1.5"),
        (3, "Step 20/20: training loss=0.5"),
        (4, "The job has successfully completed"),
    ]


def test_preferences_are_trained_with_dpo(workshop: Workshop) -> None:
    write_export(workshop.export, kind="preference")
    workshop.submit(method="dpo", settings={"beta": 0.2, "n_epochs": 2})
    assert workshop.provider.orders[0]["method"] == {
        "type": "dpo",
        "dpo": {"hyperparameters": {"n_epochs": 2, "beta": 0.2}},
    }


def test_a_failed_job_says_why(workshop: Workshop, connection: psycopg.Connection) -> None:
    workshop.provider.ending = "failed"
    job_id = workshop.submit()
    state = [workshop.backend().poll(job_id) for _ in range(3)][-1]
    assert (state.state, state.ended) == ("failed", True)
    assert "line 3 is not of this world" in state.message
    row = connection.execute("select state, reason, remedy from training_runs").fetchone()
    assert row is not None
    assert row[0] == "failed"
    assert "line 3 is not of this world" in row[1]
    assert row[2]
    with pytest.raises(Rejected, match="is failed"):
        workshop.backend().collect(job_id)


def test_a_job_is_cancelled_and_one_that_has_ended_stays_as_it_is(workshop: Workshop) -> None:
    backend = workshop.backend()
    job_id = workshop.submit()
    backend.cancel(job_id)
    backend.cancel(job_id)
    assert backend.poll(job_id).state == "cancelled"
    other = workshop.submit("run-2")
    while not backend.poll(other).ended:
        pass
    backend.cancel(other)
    assert backend.poll(other).state == "succeeded"


def test_a_status_that_nobody_knows_is_a_job_under_way(workshop: Workshop) -> None:
    workshop.provider.ending = "polishing"
    job_id = workshop.submit()
    states = [workshop.backend().poll(job_id) for _ in range(3)]
    assert (states[-1].state, states[-1].message) == ("running", "polishing")


def test_what_openbook_exports_is_taken_at_the_price_that_its_curation_showed(
    log: Log, provider: TrainingProvider, tmp_path: Path
) -> None:
    provider.models["gpt-4.1-nano"] = None
    log.grow(60)
    outcome = log.curate("model: gpt-4.1-nano\nquality: {min_tokens: 1}\n")
    manifest = export(log.connection, log.settings, "support", tmp_path / "export")
    assert manifest["tokens"] == outcome.decision.tokens
    job = TrainingJob(
        run_key="run-1",
        method="sft",
        base="gpt-4.1-nano",
        train=tmp_path / "export" / "train.jsonl",
        validation=tmp_path / "export" / "validation.jsonl",
        output=tmp_path / "out",
        dataset_sha256=manifest["content_sha256"],
        settings={"max_usd": 1},
    )
    settings = replace(log.settings, train_url=provider.url, train_key="sk-train-0123456789")
    backend = HostedBackend(settings, HASTE)
    prepared = backend.prepare(job)
    assert prepared.price_usd == pytest.approx(outcome.price.usd)
    assert 0 < prepared.trained_tokens < prepared.tokens
    assert backend.poll(backend.submit(prepared)).state == "running"
    hyperparameters = provider.orders[0]["method"]["supervised"]["hyperparameters"]
    assert hyperparameters == {"n_epochs": outcome.price.epochs}
    row = log.connection.execute("select dataset_version_id from training_runs").fetchone()
    assert row == log.connection.execute("select id from dataset_versions").fetchone()


def test_two_runs_on_the_same_export_share_its_files(workshop: Workshop) -> None:
    workshop.submit("run-1")
    workshop.submit("run-2")
    assert (len(workshop.provider.files), len(workshop.provider.jobs)) == (2, 2)


def test_a_file_that_the_provider_lost_is_uploaded_again(
    workshop: Workshop, connection: psycopg.Connection
) -> None:
    workshop.provider.then(Fault(status(500), "POST /fine_tuning/jobs"))
    with pytest.raises(Retryable):
        workshop.submit()
    state = json.loads(workshop.provider.state.read_text())
    lost = state["files"].pop(0)
    state["files"][0]["id"] = "file-other"
    workshop.provider.state.write_text(json.dumps(state))
    workshop.submit()
    assert [one["filename"] for one in workshop.provider.files].count(lost["filename"]) == 1
    assert len(workshop.provider.files) == 2


@pytest.mark.parametrize(
    ("settings", "price", "message"),
    [
        ({"max_usd": 0.036}, 0.036, None),
        ({"max_usd": 0.03}, None, r"would cost \$0.04, and \$0.03 is the most"),
        ({"max_usd": 1, "n_epochs": 100}, None, r"would cost \$1.20"),
        ({"usd_per_million_tokens": 50, "n_epochs": 1}, 0.2, None),
        ({"usd_per_million_tokens": 50, "max_usd": 0.5}, None, r"would cost \$0.60"),
    ],
)
def test_what_a_job_costs_is_known_and_bounded_before_anything_is_sent(
    settings: dict[str, Any], price: float | None, message: str | None, workshop: Workshop
) -> None:
    backend = workshop.backend()
    job = workshop.job(settings=settings)
    if message is None:
        assert backend.prepare(job).price_usd == price
    else:
        with pytest.raises(Rejected, match=message):
            backend.prepare(job)
    assert workshop.provider.requests == []


def test_a_price_that_is_not_known_is_said_and_fits_no_budget(workshop: Workshop) -> None:
    backend = workshop.backend()
    prepared = backend.prepare(workshop.job(base="old-model"))
    assert prepared.price_usd is None
    assert "not known" in prepared.warnings[0]
    with pytest.raises(Rejected, match="is not known, and"):
        backend.prepare(workshop.job(base="old-model", settings={"max_usd": 100}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problems": ["train.jsonl: 3 examples"]}, "no provider takes support@1: train.jsonl: 3"),
        ({"format": "hf-messages"}, "in the format hf-messages"),
        ({"kind": "preference"}, "which sft does not learn from"),
        ({"content_sha256": "cd" * 32}, "another dataset"),
        ({"files": []}, "names no such train file"),
    ],
)
def test_an_export_that_is_not_for_this_job_is_refused_before_anything_is_sent(
    changes: dict[str, Any], message: str, workshop: Workshop
) -> None:
    write_export(workshop.export, **changes)
    with pytest.raises(Rejected, match=message):
        workshop.submit()
    assert workshop.provider.requests == []


def test_an_altered_file_is_refused_also_when_it_was_altered_after_it_was_checked(
    workshop: Workshop,
) -> None:
    backend = workshop.backend()
    prepared = backend.prepare(workshop.job())
    with (workshop.export / "train.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(Rejected, match="was altered since"):
        backend.submit(prepared)
    assert workshop.provider.requests == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 3}, "no provider has a setting 'epochs'"),
        ({"n_epochs": 0}, "n_epochs is 0"),
        ({"n_epochs": True}, "n_epochs is True"),
        ({"seed": "7"}, "seed is '7'"),
        ({"learning_rate_multiplier": float("nan")}, "is nan"),
        ({"beta": 0.1}, "beta is a setting of the method dpo"),
        ({"suffix": "x" * 65}, "suffix is"),
    ],
)
def test_a_setting_that_no_provider_knows_is_refused(
    settings: dict[str, Any], message: str, workshop: Workshop
) -> None:
    with pytest.raises(Rejected, match=message):
        workshop.backend().prepare(workshop.job(settings=settings))


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_provider_that_takes_no_new_jobs_is_quoted_and_the_local_backend_named(
    code: int, workshop: Workshop, connection: psycopg.Connection
) -> None:
    workshop.provider.refusal = (code, "Fine-tuning is closed to new jobs.")
    with pytest.raises(Fatal, match="Fine-tuning is closed to new jobs") as refusal:
        workshop.submit()
    assert "`local`" in refusal.value.remedy
    row = connection.execute("select state, reason from training_runs").fetchone()
    assert row is not None
    assert row[0] == "failed"
    assert "closed to new jobs" in row[1]
    connection.commit()
    workshop.provider.refusal = None
    workshop.submit()
    assert connection.execute("select state, reason from training_runs").fetchone() == (
        "running",
        None,
    )


def test_a_run_key_is_one_jobs(workshop: Workshop) -> None:
    job_id = workshop.submit(settings={"n_epochs": 2, "max_usd": 5})
    assert workshop.submit(settings={"n_epochs": 2, "max_usd": 9}) == job_id
    with pytest.raises(Rejected, match="another job's"):
        workshop.submit(settings={"n_epochs": 4})


def test_a_file_that_the_provider_still_reads_is_waited_for_and_one_it_cannot_use_is_not(
    workshop: Workshop,
) -> None:
    workshop.provider.file_status = "pending"
    with pytest.raises(Retryable, match="still reading"):
        workshop.submit()
    workshop.provider.file_status = "error"
    with pytest.raises(Rejected, match="cannot use"):
        workshop.submit("run-2", validation=None, train=_another(workshop))


def test_questions_are_repeated_and_orders_are_not(workshop: Workshop) -> None:
    provider = workshop.provider
    provider.then(Fault(status(500), "GET /files"), Fault(cut_body, "GET /files", "after"))
    job_id = workshop.submit()
    provider.then(Fault(status(429, retry_after="0"), "GET /fine"))
    assert workshop.backend().poll(job_id).state == "running"
    provider.then(Fault(status(503), "POST /fine_tuning/jobs"))
    before = len(provider.requests)
    with pytest.raises(Retryable, match="looked for before it is sent again"):
        workshop.submit("run-2")
    assert provider.requests[before:].count("POST /fine_tuning/jobs") == 1


def test_the_key_is_never_quoted(workshop: Workshop) -> None:
    key = workshop.settings.train_key
    workshop.provider.then(Fault(status(401, f"Incorrect API key provided: {key}"), "GET /files"))
    with pytest.raises(Fatal, match="OPENBOOK_TRAIN_KEY") as refusal:
        workshop.submit()
    assert key not in str(refusal.value)


def test_without_a_key_openai_is_not_asked(workshop: Workshop) -> None:
    with pytest.raises(Fatal, match="There is no key for OpenAI"):
        open_backend("openai", replace(workshop.settings, train_url=None, train_key=None))


def test_the_days_on_which_models_end_are_known_of_their_fine_tunes_too(workshop: Workshop) -> None:
    workshop.provider.models |= {
        "ft:old-model:me::1": "2026-12-24",
        "ft:old-model:me::2": None,
    }
    names = ["small-model", "old-model", "ft:old-model:me::1", "ft:old-model:me::2", "unheard-of"]
    assert retirements(workshop.settings, names, HASTE) == {
        "old-model": date(2027, 1, 14),
        "ft:old-model:me::1": date(2026, 12, 24),
        "ft:old-model:me::2": date(2027, 1, 14),
    }


def _another(workshop: Workshop) -> Any:
    folder = write_export(workshop.export.parent / "another")
    manifest = json.loads((folder / "manifest.json").read_text())
    validation = manifest["files"][1]
    (folder / "validation.jsonl").replace(folder / "train.jsonl")
    manifest["files"] = [{**validation, "file": "train.jsonl", "split": "train"}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "train.jsonl"
