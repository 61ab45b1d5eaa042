"""The files of a dataset's export, as chats and preference pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.backend import Method, TrainingJob

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation, or the two ways in which one may end.

    `messages` are as chat templates read them: texts are never None, arguments of tool calls are
    objects, a developer's turn is a system's. `answers` are None for a supervised example; for a
    pair, the preferred and the other answer to `messages`. `sha256` is that of the file's line.
    """

    line: int
    sha256: str
    messages: tuple[Message, ...]
    tools: tuple[Message, ...] = ()
    answers: tuple[Message, Message] | None = None


def read_chats(file: Path, method: Method) -> Iterator[Chat]:
    """The examples of a JSONL file, in either format of an export.

    Raises Rejected, naming the line, where one is no example of that method.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _chat(file, number, line, method)
    except OSError as error:
        raise Rejected(
            f"{file} cannot be read: {error.strerror}",
            "Name a JSONL file that `openbook datasets export` wrote.",
        ) from None


def _chat(file: Path, number: int, line: bytes, method: Method) -> Chat:
    try:
        body = json.loads(line)
        given = body.get("input", body)
        digest = hashlib.sha256(line.rstrip(b"\r\n")).hexdigest()
        tools = tuple(given.get("tools") or ())
        if method == "sft":
            return Chat(number, digest, tuple(map(_message, body["messages"])), tools)
        asked = given["messages"] if "input" in body else body["prompt"]
        sides = ("preferred_output", "non_preferred_output") if "input" in body else (
            "chosen", "rejected",
        )  # fmt: skip
        (better,), (worse,) = (body[side] for side in sides)
        answers = (_message(better), _message(worse))
        return Chat(number, digest, tuple(map(_message, asked)), tools, answers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Rejected(
            f"{file}, line {number}: no {'example' if method == 'sft' else 'preference pair'}",
            "Export the dataset anew with `openbook datasets export`, and train by its kind: "
            "sft for chats, dpo for preferences.",
        ) from None


def _message(said: Mapping[str, Any]) -> Message:
    message = {**said, "content": said.get("content") or ""}
    if said["role"] == "developer":
        message["role"] = "system"
    if calls := said.get("tool_calls"):
        message["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"])}}
            for call in calls
        ]
    return message


def _arguments(function: Mapping[str, Any]) -> Any:
    given = function["arguments"]
    return json.loads(given) if isinstance(given, str) else given


def check_files(job: TrainingJob) -> None:
    """Hold a job's files against the manifest of the export that they lie in, if they lie in one.

    Raises Rejected where a file was altered after the export, or belongs to another version.
    """
    for file in (job.train, job.validation):
        manifest = file.with_name("manifest.json") if file else None
        if file is None or manifest is None or not manifest.exists():
            continue
        said = json.loads(manifest.read_text(encoding="utf-8"))
        entries = {one["file"]: one["sha256"] for one in said.get("files", ())}
        if said.get("content_sha256") != job.dataset_sha256:
            raise Rejected(
                f"{file.parent} holds the dataset version {said.get('content_sha256')}, "
                f"and the job names {job.dataset_sha256}",
                "Export the version that the job names.",
            )
        if entries.get(file.name) != sha256_of(file):
            raise Rejected(f"{file} was altered after its export", "Export the version anew.")


def sha256_of(file: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
