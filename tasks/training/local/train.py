"""One training run, from its job to its artifact; it carries on from the last whole checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback, set_seed
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from tasks.training.backend import TrainingJob
from tasks.training.local import progress
from tasks.training.local.artifact import writing
from tasks.training.local.base import Base, find_base, load_model
from tasks.training.local.encode import Encoded, EncodedPair
from tasks.training.local.examples import sha256_of
from tasks.training.local.layout import ARTIFACT, CANCEL, CHECKPOINTS
from tasks.training.local.perplexity import mean_nll, measure
from tasks.training.local.proof import Proof, prove
from tasks.training.local.recipe import Recipe, read_recipe

_WHOLE = "whole"
"""The file that a checkpoint gets when all of it is written."""


def train(job: TrainingJob) -> None:
    """Train the job's adapter and leave it in `output/adapter`.

    Raises Rejected as `prove` does.
    """
    recipe = read_recipe(job.settings)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    base = find_base(job.base)
    proof = prove(job, recipe, base)
    set_seed(recipe.seed)
    on_gpu = torch.cuda.is_available()
    half = on_gpu and torch.cuda.is_bf16_supported()
    model = get_peft_model(
        load_model(base, "bfloat16" if half else "float32"), _lora(recipe)
    )  # fmt: skip
    arguments = {
        "output_dir": str(job.output / CHECKPOINTS),
        "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.accumulation,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "num_train_epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": recipe.warmup,
        "bf16": half,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "seed": recipe.seed,
        "logging_steps": 1,
        "save_steps": recipe.checkpoint_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "max_length": recipe.max_length,
    }
    make = _sft_trainer if job.method == "sft" else _dpo_trainer
    trainer = make(model, proof, recipe, arguments)
    trainer.add_callback(_Reporter(job.output))
    last = _last_checkpoint(job.output / CHECKPOINTS)
    progress.add(job.output, event="started", resumed_from=last and last.name)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if (job.output / CANCEL).exists():
        progress.add(job.output, event="cancelled", step=trainer.state.global_step)
        return
    _leave(job, recipe, base, proof, trainer)
    shutil.rmtree(job.output / CHECKPOINTS, ignore_errors=True)
    progress.add(job.output, event="succeeded", step=trainer.state.global_step)


def _lora(recipe: Recipe) -> Any:
    names = recipe.targets.split(",")
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.r,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=recipe.targets if names == ["all-linear"] else sorted(names),
    )


def _sft_trainer(model: Any, proof: Proof, recipe: Recipe, arguments: dict[str, Any]) -> Any:
    rows = [
        {"input_ids": list(one.ids), "labels": list(one.labels)}
        for one in proof.train
        if isinstance(one, Encoded)
    ]
    return SFTTrainer(
        model=model,
        args=SFTConfig(**arguments, packing=recipe.packing),
        train_dataset=Dataset.from_list(rows),
        processing_class=proof.tokenizer,
    )


class _EncodedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """trl's trainer, given the very tokens that were proved."""

    def _prepare_dataset(self, dataset: Any, *_args: Any) -> Any:
        return dataset


def _dpo_trainer(model: Any, proof: Proof, recipe: Recipe, arguments: dict[str, Any]) -> Any:
    rows = []
    for one in proof.train:
        assert isinstance(one, EncodedPair)
        at = one.prompt_tokens
        rows.append(
            {
                "prompt_ids": list(one.chosen.ids[:at]),
                "chosen_ids": list(one.chosen.ids[at:]),
                "rejected_ids": list(one.rejected.ids[at:]),
            }
        )
    return _EncodedDPOTrainer(
        model=model,
        args=DPOConfig(**arguments, beta=recipe.beta),
        train_dataset=Dataset.from_list(rows),
        processing_class=proof.tokenizer,
    )


@dataclass
class _Reporter(TrainerCallback):  # type: ignore[misc]
    """Writes down how far the training is, marks whole checkpoints, and ends it when asked to."""

    folder: Path

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in (logs or {}):
            progress.add(
                self.folder, step=state.global_step, steps=state.max_steps, loss=logs["loss"]
            )

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _WHOLE).touch()

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
        if (self.folder / CANCEL).exists():
            control.should_save = True
            control.should_training_stop = True


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; torn ones are removed."""
    found = {}
    for one in folder.glob("checkpoint-*"):
        if (one / _WHOLE).exists():
            found[int(one.name.rpartition("-")[2])] = one
        else:
            shutil.rmtree(one)
    return found[max(found)] if found else None


def _leave(job: TrainingJob, recipe: Recipe, base: Base, proof: Proof, trainer: Any) -> None:
    manifest = {
        "kind": "lora adapter",
        "run_key": job.run_key,
        "method": job.method,
        "dataset_sha256": job.dataset_sha256,
        "train_sha256": sha256_of(job.train),
        "validation_sha256": sha256_of(job.validation) if job.validation else None,
        "base": {"name": job.base, "sha256": base.sha256(), "made_from": base.made_from()},
        "settings": asdict(recipe),
        "metrics": _metrics(proof, trainer),
    }
    with writing(job.output / ARTIFACT, manifest) as aside:
        trainer.model.save_pretrained(aside)
        (aside / "README.md").unlink(missing_ok=True)  # a model card that speaks of nothing
        proof.tokenizer.save_pretrained(aside)
        _settle(aside / "adapter_config.json", job.base)


def _settle(file: Path, base: str) -> None:
    """Name the base as the job does, and put the layers in order: peft writes a set as it comes."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _metrics(proof: Proof, trainer: Any) -> dict[str, float]:
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    tenth = max(1, len(losses) // 10)
    metrics = {
        "examples": len(proof.train),
        "tokens": proof.tokens,
        "trained_tokens": proof.trained_tokens,
        "too_long": proof.too_long,
        "steps": trainer.state.global_step,
        "loss_first": fmean(losses[:tenth]),
        "loss_last": fmean(losses[-tenth:]),
    }
    if proof.validation:
        metrics |= _compare(trainer.model, proof.validation)
    return metrics


def _compare(model: Any, validation: Sequence[Encoded | EncodedPair]) -> dict[str, float]:
    """The validation split under the trained model and under its base."""
    sides = [one for one in validation if isinstance(one, Encoded)]
    pairs = [one for one in validation if isinstance(one, EncodedPair)]
    flat = sides + [one.chosen for one in pairs] + [one.rejected for one in pairs]
    after = measure(model, flat)
    with model.disable_adapter():
        before = measure(model, flat)
    if sides:
        return {"validation_nll_base": mean_nll(before), "validation_nll": mean_nll(after)}
    gains = [old.nll - new.nll for old, new in zip(before, after, strict=True)]
    margins = [
        chosen - rejected
        for chosen, rejected in zip(gains[: len(pairs)], gains[len(pairs) :], strict=True)
    ]
    return {
        "validation_preferred": fmean(margin > 0 for margin in margins),
        "validation_margin": fmean(margins),
    }
