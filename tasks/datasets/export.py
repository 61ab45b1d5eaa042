"""A version's files: one a split, and a manifest that is written last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from psycopg import Connection

from tasks.database import query
from tasks.datasets.shape import as_hf_messages
from tasks.datasets.stale import MANIFEST, file_names, register
from tasks.datasets.store import keep_conversations
from tasks.datasets.validate import file_faults
from tasks.datasets.versions import find_version
from tasks.errors import Rejected
from tasks.settings import Settings

Format = Literal["jsonl", "parquet"]
_ROWS_A_GROUP = 10_000


def export(
    connection: Connection,
    settings: Settings,
    name: str,
    folder: Path,
    file_format: Format = "jsonl",
) -> dict[str, Any]:
    """Write the files of a version into a folder; the manifest, which is there when all is.

    JSONL files hold one example a line, in the format that the version's spec names; Parquet files
    hold it with its hash, tokens, conversation, messages and chunks. The same version gives the
    same bytes. Whoever forgets something waits until the files are whole, and then finds them.

    Raises Rejected where the folder holds anything but an earlier export, or when the extra for
    Parquet is not installed.
    """
    version = find_version(connection, name)
    if file_format == "parquet" and find_spec("pyarrow") is None:
        raise Rejected(
            "Parquet needs pyarrow, which is not installed",
            "Install it with: pip install openbook[datasets]",
        )
    _make_room(folder)
    register(connection, settings, version["version_id"], folder)
    connection.commit()  # what is written is known before it is there
    with connection.transaction():
        keep_conversations(connection)
        register(connection, settings, version["version_id"], folder)  # removed in between, maybe
        version = find_version(connection, f"{version['dataset']}@{version['version']}")
        return _write_all(connection, version, folder, file_format)


def _write_all(
    connection: Connection, version: dict[str, Any], folder: Path, file_format: Format
) -> dict[str, Any]:
    openai = version["spec"].get("format", "openai") == "openai"
    lines = _write_lines if openai else _write_hf_lines
    write = _write_parquet if file_format == "parquet" else lines
    files = []
    for split in ("train", "validation", "test", "golden"):
        if version["splits"].get(split):
            file = folder / f"{split}.{file_format}"
            _at_once(file, partial(write, connection, version, split))
            files.append(_entry(file, split, version["splits"][split]))
    manifest = {
        "dataset": version["dataset"],
        "version": version["version"],
        "kind": version["kind"],
        "format": "openai" if openai else "hf-messages",
        "content_sha256": version["content_sha256"],
        "model": version["model"],
        "forgotten_examples": version["forgotten_examples"],
        "tokens": version["tokens"],
        "tokenizer": version["tokenizer"],
        "tokens_exact": version["tokens_exact"],
        "epochs": version["epochs"],
        "usd": None if version["usd"] is None else float(version["usd"]),
        "files": files,
        "problems": [
            f"{one['file']}: {fault}"
            for one in files
            if one["split"] in ("train", "validation") and file_format == "jsonl" and openai
            for fault in file_faults(
                one["examples"] if one["split"] == "train" else 10, one["bytes"]
            )
        ],
        "spec": version["spec"],
    }
    _at_once(folder / MANIFEST, lambda path: path.write_text(_as_text(manifest), encoding="utf-8"))
    return manifest


def _make_room(folder: Path) -> None:
    if folder.is_dir() and any(one.name not in set(file_names()) for one in folder.iterdir()):
        raise Rejected(f"{folder} holds other files", "Name a new folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in file_names():
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise Rejected(f"{folder} cannot be written: {error.strerror}", "Name another.") from None


def _at_once(file: Path, write: Callable[[Path], object]) -> None:
    """Let the file appear when it is whole and on the disk."""
    unfinished = file.with_name(f".{file.name}.partial")
    write(unfinished)
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.replace(file)


def _write_lines(connection: Connection, version: dict[str, Any], split: str, path: Path) -> None:
    """The lines as they are stored, in the order of their hashes.

    No JSON text holds a control character, so none needs the quotes of CSV.
    """
    values = {"version": version["version_id"], "split": split}
    with (
        path.open("wb") as file,
        connection.cursor() as cursor,
        cursor.copy(query("export_lines"), values) as copy,
    ):
        for block in copy:
            file.write(block)


def _write_hf_lines(
    connection: Connection, version: dict[str, Any], split: str, path: Path
) -> None:
    values = {"version": version["version_id"], "split": split}
    with (
        path.open("w", encoding="utf-8", newline="\n") as file,
        connection.cursor("export") as cursor,
    ):
        cursor.itersize = _ROWS_A_GROUP
        for row in cursor.execute(query("export_rows"), values):
            file.write(_as_hf(row[1]) + "\n")


def _as_hf(body: str) -> str:
    return json.dumps(as_hf_messages(json.loads(body)), ensure_ascii=False, separators=(",", ":"))


def _write_parquet(connection: Connection, version: dict[str, Any], split: str, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([
        ("sha256", pa.string()), ("body", pa.string()), ("tokens", pa.int32()),
        ("language", pa.string()), ("conversation_id", pa.int64()),
        ("ordinals", pa.list_(pa.int32())), ("chunk_ids", pa.list_(pa.int64())),
    ])  # fmt: skip
    values = {"version": version["version_id"], "split": split}
    with (
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
        connection.cursor("export") as cursor,
    ):
        cursor.itersize = _ROWS_A_GROUP
        cursor.execute(query("export_rows"), values)
        while rows := cursor.fetchmany(_ROWS_A_GROUP):
            columns = [list(column) for column in zip(*rows, strict=True)]
            if version["spec"].get("format") == "hf-messages":
                columns[1] = list(map(_as_hf, columns[1]))
            writer.write_table(pa.table(columns, schema=schema))


def _entry(file: Path, split: str, examples: int) -> dict[str, Any]:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "file": file.name,
        "split": split,
        "examples": examples,
        "bytes": file.stat().st_size,
        "sha256": digest,
    }


def _as_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True, default=str) + "\n"
