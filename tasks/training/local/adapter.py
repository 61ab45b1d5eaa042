"""A trained adapter upon its base: loaded when its files are proved, or merged into one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.local.artifact import check, digest, writing
from tasks.training.local.base import Base, find_base, load_model, load_tokenizer


def load_adapter(base: Base, folder: Path, dtype: str | None = None) -> Any:
    """A base with an adapter upon it, as a peft model on the CPU.

    Raises Rejected where a file of the adapter was altered, or it was trained on another base.
    """
    manifest = check(folder)
    if manifest["base"]["sha256"] != base.sha256():
        raise Rejected(
            f"{folder} was trained on {manifest['base']['name']}, and {base.name} is another model",
            "Load it upon the very base that its manifest names.",
        )
    from peft import PeftModel

    return PeftModel.from_pretrained(load_model(base, dtype), folder)


def merge(folder: Path, output: Path, base: str | None = None) -> Path:
    """Write an adapter and its base as one transformers model, in the base's own precision.

    The sums are made in float32. `base` names the base where it no longer lies where the manifest
    says. Returns the folder, which has a manifest of its own.

    Raises Rejected as `load_adapter` does.
    """
    manifest = check(folder)
    found = find_base(base or manifest["base"]["name"])
    stored = load_adapter(found, folder)
    precision = stored.dtype
    whole = stored.float().merge_and_unload().to(precision)
    said = {
        "kind": "merged model",
        "run_key": manifest["run_key"],
        "dataset_sha256": manifest["dataset_sha256"],
        "base": manifest["base"],
        "adapter_manifest_sha256": digest(folder),
    }
    with writing(output, said) as aside:
        whole.save_pretrained(aside)
        load_tokenizer(found).save_pretrained(aside)
    return output
