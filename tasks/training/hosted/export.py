"""A dataset's export, checked against its manifest before a provider is given any of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.backend import TrainingJob
from tasks.training.local.examples import sha256_of

_MANIFEST = "manifest.json"
_KINDS = {"sft": ("sft", "raft"), "dpo": ("preference",)}
_ANEW = "Export the dataset anew: openbook datasets export."


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """One file to be sent; its name tells its content, so that it is found again by its name."""

    split: str
    path: Path
    sha256: str
    bytes: int

    @property
    def name(self) -> str:
        """What the provider is told that it is called."""
        return f"openbook-{self.sha256}.jsonl"


@dataclass(frozen=True, slots=True)
class Export:
    """What a provider is to be given. Tokens are those of the training file, once over.

    `usd_per_million_tokens` and `epochs` are what the dataset was priced with, for `model`.
    """

    files: tuple[TrainingFile, ...]
    examples: int
    tokens: int
    trained_tokens: int
    model: str
    epochs: int | None
    usd_per_million_tokens: float | None


def read_export(job: TrainingJob) -> Export:
    """Check the job's files: whole, unchanged since they were written, and by the provider's rules.

    Raises Rejected where they are not what the manifest beside them says, or are not for this job.
    """
    manifest = _read_manifest(job.train.parent / _MANIFEST)
    _check_purpose(job, manifest)
    given = {"train": job.train, "validation": job.validation}
    files = tuple(
        _check_file(manifest, split, path) for split, path in given.items() if path is not None
    )
    tokens, epochs = int(manifest["tokens"]), manifest.get("epochs")
    usd = manifest.get("usd")
    rate = float(usd) * 1e6 / (tokens * epochs) if usd is not None and epochs and tokens else None
    return Export(
        files=files,
        examples=next(one["examples"] for one in manifest["files"] if one["split"] == "train"),
        tokens=tokens,
        trained_tokens=max(1, round(tokens * _answers_share(job.train))),
        model=str(manifest["model"]),
        epochs=epochs,
        usd_per_million_tokens=rate,
    )


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(manifest["files"], list) and "content_sha256" in manifest:
            return dict(manifest)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise Rejected(f"{path} is not the manifest of an export", _ANEW)


def _check_purpose(job: TrainingJob, manifest: dict[str, Any]) -> None:
    name = f"{manifest['dataset']}@{manifest['version']}"
    if manifest["content_sha256"] != job.dataset_sha256:
        raise Rejected(f"{job.train.parent} holds {name}, which is another dataset", _ANEW)
    if manifest["format"] != "openai":
        raise Rejected(
            f"{name} is in the format {manifest['format']}, which providers do not take",
            "Write `format: openai` into its spec and curate it anew.",
        )
    if manifest["kind"] not in _KINDS[job.method]:
        raise Rejected(
            f"{name} is of kind {manifest['kind']}, which {job.method} does not learn from",
            f"Train on a dataset of kind {' or '.join(_KINDS[job.method])}.",
        )
    if manifest["problems"]:
        raise Rejected(
            f"no provider takes {name}: {'; '.join(manifest['problems'])}",
            "Let its spec choose more examples, or smaller ones.",
        )


def _check_file(manifest: dict[str, Any], split: str, path: Path) -> TrainingFile:
    entry = next((one for one in manifest["files"] if one["split"] == split), None)
    if entry is None or entry["file"] != path.name:
        raise Rejected(f"the manifest beside {path} names no such {split} file", _ANEW)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise Rejected(f"{path} cannot be read: {error.strerror}", _ANEW) from None
    if found != entry["sha256"]:
        raise Rejected(f"{path} was altered since it was exported", _ANEW)
    return TrainingFile(split, path, found, int(entry["bytes"]))


def _answers_share(path: Path) -> float:
    """Which share of a file's text is what the model learns to say, by characters."""
    learnt = read = 0
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            body = json.loads(line)
            preferred = body.get("preferred_output", ())
            given = body.get("messages") or [*body["input"]["messages"], *preferred]
            for message in given:
                size = len(json.dumps(message.get("content") or message.get("tool_calls")))
                read += size
                if message["role"] == "assistant" and message.get("weight") != 0:
                    learnt += size * (not preferred or message in preferred)
    return learnt / read if read else 0.0
