"""An adapter as a GGUF file, which llama.cpp and what is built on it serve upon a GGUF base."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.local.artifact import check
from tasks.training.local.base import Base, find_base

_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""Families of transformers and llama.cpp's names for them."""
_PERMUTED = {"llama"}
"""Those whose query and key rows llama.cpp keeps in the order of its rotary embedding."""


def export_gguf(folder: Path, output: Path, base: str | None = None) -> Path:
    """Write an adapter as one GGUF file, in float32; served with a scale of 1 it is the adapter.

    `base` names the base where it no longer lies where the manifest says. Returns the file.

    Raises Rejected where the adapter was altered, its base is not here, or the base's family or one
    of the adapted layers has no name in GGUF.
    """
    from gguf import GGUFWriter, LlamaFileType
    from safetensors.numpy import load_file

    manifest = check(folder)
    found = find_base(base or manifest["base"]["name"])
    config = _config(found)
    family = config["model_type"]
    if family not in _ARCHITECTURES:
        raise Rejected(
            f"Adapters of {family} models are not exported to GGUF",
            f"It is done for {', '.join(_ARCHITECTURES)}; merge the adapter and convert the whole.",
        )
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "adapter_model.safetensors")
    unfinished = output.with_name(f".{output.name}.partial")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        writer = GGUFWriter(unfinished, _ARCHITECTURES[family])
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(adapter["lora_alpha"]))
        writer.add_file_type(LlamaFileType.ALL_F32)
        for name, tensor in sorted(_named(tensors, config).items()):
            writer.add_tensor(name, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return output


def _config(base: Base) -> Mapping[str, Any]:
    from transformers import AutoConfig

    where = {"gguf_file": base.path.name} if base.is_gguf else {}
    folder = base.path.parent if base.is_gguf else base.path
    read: Mapping[str, Any] = AutoConfig.from_pretrained(
        folder, local_files_only=True, **where
    ).to_dict()
    return read


def _named(tensors: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The adapter's matrices by GGUF's names: A is r x in, B is out x r."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    architecture = _ARCHITECTURES[config["model_type"]]
    number = next(one for one, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(number, config["num_hidden_layers"])
    heads = {
        "q_proj": config["num_attention_heads"],
        "k_proj": config.get("num_key_value_heads") or config["num_attention_heads"],
    }
    found = {}
    for key, tensor in tensors.items():
        layer, _, side = key.removeprefix("base_model.model.").rpartition(".lora_")
        side = side.removesuffix(".weight")
        name = names.get_name(layer)
        if name is None or side not in ("A", "B"):
            raise Rejected(
                f"The adapter's tensor {key} has no name in GGUF",
                "Train on the linear layers of attention and feed-forward alone.",
            )
        kind = layer.rpartition(".")[2]
        if side == "B" and kind in heads and architecture in _PERMUTED:
            rows = _rotary_order(tensor, heads[kind])
        else:
            rows = tensor
        found[f"{name}.weight.lora_{side.lower()}"] = rows.astype("float32")
    return found


def _rotary_order(rows: Any, heads: int) -> Any:
    """Each head's rows with those side by side that transformers pairs as i and i + half."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1])
    return halves.swapaxes(1, 2).reshape(rows.shape)
