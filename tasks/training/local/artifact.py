"""What a run leaves: a folder that is whole or not there, and that tells when it was altered."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.local.examples import sha256_of

MANIFEST = "manifest.json"
_PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "tokenizers")


@contextmanager
def writing(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """Fill a folder aside, then let it appear under its name, with a manifest that is written last.

    The block fills the folder that is yielded. The manifest gets the versions of the packages, and
    the size and sha256 of each file. Whatever fails leaves nothing behind, and what stood there
    before stays.
    """
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        yield aside
        files = sorted(one for one in aside.rglob("*") if one.is_file())
        whole = {
            **manifest,
            "packages": {name: version(name) for name in _PACKAGES},
            "files": [
                {
                    "file": str(one.relative_to(aside)),
                    "bytes": one.stat().st_size,
                    "sha256": sha256_of(one),
                }
                for one in files
            ],
        }
        text = json.dumps(whole, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (aside / MANIFEST).write_text(text, encoding="utf-8")
        for one in (*files, aside / MANIFEST, aside):
            _sync(one)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check(folder: Path) -> dict[str, Any]:
    """The manifest of an artifact whose files are all as they were written.

    Raises Rejected where a file is missing, altered, or was added.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {one["file"]: one["sha256"] for one in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise Rejected(
            f"{folder} holds no trained model with a readable manifest",
            "Name the folder that a training run left, or train anew.",
        ) from None
    there = {
        str(one.relative_to(folder)): one
        for one in folder.rglob("*")
        if one.is_file() and one.name != MANIFEST
    }
    for name in sorted(files.keys() | there.keys()):
        if name not in there or name not in files or sha256_of(there[name]) != files[name]:
            state = "missing" if name not in there else "new" if name not in files else "altered"
            raise Rejected(
                f"{folder / name} is {state} since the training ended",
                "Such a model is not loaded: restore the folder, or train anew.",
            )
    return manifest


def digest(folder: Path) -> str:
    """The sha256 of an artifact's manifest, which stands for all of its files."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
