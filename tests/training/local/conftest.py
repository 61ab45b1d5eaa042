"""A tiny Llama with a chat template, made and trained here, and jobs that teach it more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tasks.settings import Settings
from tasks.training.backend import JobState, TrainingJob
from tasks.training.local.backend import LocalBackend

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PARTS = ("valve", "pump", "seal", "shaft", "rotor", "hose", "flange", "gauge")
KNOWN = [f"the {part} stands in hall {hall}" for hall, part in enumerate(PARTS, 1)]
FACTS = [(f"where is the {part}?", f"the {part} stands in hall {hall}")
         for hall, part in zip((5, 8, 2, 7, 1, 3, 6, 4), PARTS, strict=True)]  # fmt: skip

TRAINING_SECONDS = 250


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in this folder needs the extra `train`, and shares one model."""
    missing = find_spec("torch") is None
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.train)
            item.add_marker(pytest.mark.xdist_group("training"))
            if missing:
                item.add_marker(pytest.mark.skip(reason="PyTorch is not installed: make train"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformers folder: a Llama of 2 layers that speaks of parts and halls, one wrong each.

    It must be trained before an adapter can teach it: its head is frozen.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
            bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
        )
    )  # fmt: skip
    chats = [
        tokenizer.apply_chat_template(chat(asked, KNOWN[place])["messages"], tokenize=False)
        for place, (asked, _) in enumerate(FACTS)
    ]
    batch = tokenizer(chats, return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5
    model.save_pretrained(folder)
    return folder


def make_tokenizer(folder: Path, template: str | None = CHATML) -> Any:
    """A byte-level BPE tokenizer of some 300 tokens, saved into a folder."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    marks = ["<|im_start|>", "<|im_end|>", "<|pad|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[AddedToken(one, special=True) for one in marks],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    backend.train_from_iterator([*KNOWN, *(asked for asked, _ in FACTS), "user assistant"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|pad|>",
        chat_template=template,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    if template is None:
        (folder / "chat_template.jinja").unlink(missing_ok=True)
    return tokenizer


def chat(asked: str, answer: str) -> dict[str, Any]:
    """A supervised example of one turn."""
    return {
        "messages": [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answer},
        ]
    }


def pair(asked: str, better: str, worse: str) -> dict[str, Any]:
    """A preference pair, as a provider's file has it."""
    return {
        "input": {"messages": [{"role": "user", "content": asked}]},
        "preferred_output": [{"role": "assistant", "content": better}],
        "non_preferred_output": [{"role": "assistant", "content": worse}],
    }


def write_lines(file: Path, examples: Sequence[dict[str, Any]]) -> Path:
    """A JSONL file of examples."""
    file.write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")
    return file


RECIPE = {
    "r": 8, "alpha": 16, "epochs": 30, "batch_size": 8, "learning_rate": 1e-2, "max_length": 128,
    "checkpoint_steps": 5, "threads": 1,
}  # fmt: skip


@pytest.fixture
def job(tiny: Path, tmp_path: Path) -> TrainingJob:
    """A supervised job that teaches the tiny model where each part really stands."""
    train = write_lines(tmp_path / "train.jsonl", [chat(*fact) for fact in FACTS])
    return TrainingJob(
        run_key="facts", method="sft", base=str(tiny), train=train, validation=train,
        output=tmp_path / "run", dataset_sha256="d" * 64, settings=RECIPE,
    )  # fmt: skip


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    """The local backend; what it still trains at the end is ended."""
    backend = LocalBackend(Settings())
    yield backend
    for child in backend._children.values():
        child.kill()
        child.wait()


def wait(
    backend: LocalBackend, job_id: str, until: Callable[[JobState], bool] = lambda s: s.ended
) -> JobState:
    """Poll until the job stands as wished."""
    ends = time.monotonic() + TRAINING_SECONDS
    while not until(state := backend.poll(job_id)):
        assert time.monotonic() < ends, state
        time.sleep(0.05)
    return state


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an adapter that was trained on the facts."""
    folder = tmp_path_factory.mktemp("trained")
    train = write_lines(folder / "train.jsonl", [chat(*fact) for fact in FACTS])
    backend = LocalBackend(Settings())
    job = TrainingJob(
        run_key="facts", method="sft", base=str(tiny), train=train, validation=train,
        output=folder / "run", dataset_sha256="d" * 64, settings=RECIPE,
    )  # fmt: skip
    job_id = backend.submit(backend.prepare(job))
    assert wait(backend, job_id).state == "succeeded", (folder / "run" / "log.txt").read_text()
    artifact = backend.collect(job_id)
    assert artifact.folder
    yield artifact.folder
