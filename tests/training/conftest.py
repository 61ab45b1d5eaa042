"""An export to train on, and a provider on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tasks.endpoint import Patience
from tasks.settings import Settings
from tasks.training.backend import TrainingJob
from tasks.training.hosted.backend import HostedBackend
from tests.training.provider import TrainingProvider, training_provider

HASTE = Patience(tries=3, first_wait=0.01, longest_wait=1.0, answer_within=2.0)
SHA = "ab" * 32


def write_export(folder: Path, **changes: Any) -> Path:
    """Twelve examples to train on and two to validate with, as the export writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for split, count in (("train", 12), ("validation", 2)):
        path = folder / f"{split}.jsonl"
        path.write_text(
            "".join(
                json.dumps(
                    {
                        "messages": [
                            {"role": "user", "content": f"{folder.name}: {split} question {n}?"},
                            {"role": "assistant", "content": f"Answer {n}."},
                        ]
                    }
                )
                + "\n"
                for n in range(count)
            )
        )
        content = path.read_bytes()
        files.append(
            {
                "file": path.name,
                "split": split,
                "examples": count,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
    manifest = {
        "dataset": "support",
        "version": 1,
        "kind": "sft",
        "format": "openai",
        "content_sha256": SHA,
        "model": "small-model",
        "tokens": 4_000,
        "epochs": 3,
        "usd": 0.036,
        "files": files,
        "problems": [],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def job_of(folder: Path, run_key: str = "run-1", **changes: Any) -> TrainingJob:
    """A job on that export."""
    job = TrainingJob(
        run_key=run_key,
        method="sft",
        base="small-model",
        train=folder / "train.jsonl",
        validation=folder / "validation.jsonl",
        output=folder / "out",
        dataset_sha256=SHA,
        settings={"seed": 3, "suffix": "support"},
    )
    return replace(job, **changes)


@dataclass
class Workshop:
    """A provider, an export, and settings that lead to both."""

    provider: TrainingProvider
    export: Path
    settings: Settings

    def backend(self, settles: float = 0.0) -> HostedBackend:
        """A backend that is in haste; by default, what was sent arrives at once or never."""
        return HostedBackend(self.settings, HASTE, settles)

    def job(self, run_key: str = "run-1", **changes: Any) -> TrainingJob:
        """A job on the export."""
        return job_of(self.export, run_key, **changes)

    def submit(self, run_key: str = "run-1", **changes: Any) -> str:
        """Prepare and submit a job."""
        backend = self.backend()
        return backend.submit(backend.prepare(self.job(run_key, **changes)))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[TrainingProvider]:
    """A provider that holds nothing yet."""
    with training_provider(tmp_path / "provider.json") as provider:
        yield provider


@pytest.fixture
def workshop(database: Settings, provider: TrainingProvider, tmp_path: Path) -> Workshop:
    """All that a training at a provider needs."""
    settings = replace(database, train_url=provider.url, train_key="sk-train-0123456789")
    return Workshop(provider, write_export(tmp_path / "export"), settings)
