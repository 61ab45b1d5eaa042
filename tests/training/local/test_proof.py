"""What is proved before anything is trained: files, loss mask, lengths, settings, base."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import Rejected
from tasks.training.backend import TrainingJob
from tasks.training.local.backend import LocalBackend
from tasks.training.local.base import find_base, load_tokenizer
from tasks.training.local.encode import NO_LOSS, Encoded, EncodedPair, Encoder
from tasks.training.local.examples import read_chats
from tests.training.local.conftest import CHATML, chat, make_tokenizer, pair, write_lines

TOOLS = CHATML.replace("message['content']", "(message['content'] or message.tool_calls|tojson)")
CALL = {
    "id": "c1", "type": "function",
    "function": {"name": "find_part", "arguments": '{"part": "valve"}'},
}  # fmt: skip
CALLED = {
    "messages": [
        {"role": "user", "content": "where is the valve?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "hall 5"},
        {"role": "assistant", "content": "the valve stands in hall 5"},
    ],
    "tools": [{"type": "function", "function": {"name": "find_part", "parameters": {}}}],
}


@pytest.fixture
def bare(tmp_path: Path) -> TrainingJob:
    """A job whose base has a tokenizer and no weights, which a proof does not need."""
    base = tmp_path / "base"
    make_tokenizer(base)
    (base / "config.json").write_text('{"model_type": "llama"}')
    train = write_lines(tmp_path / "train.jsonl", [chat("where is the valve?", "in hall 5")])
    return TrainingJob(
        run_key="bare", method="sft", base=str(base), train=train,
        output=tmp_path / "run", dataset_sha256="d" * 64,
    )  # fmt: skip


def with_template(job: TrainingJob, template: str | None) -> TrainingJob:
    make_tokenizer(Path(job.base), template)
    return job


def encoded(job: TrainingJob, body: Mapping[str, Any]) -> tuple[Any, Encoded]:
    tokenizer = load_tokenizer(find_base(job.base))
    (one,) = read_chats(write_lines(job.train, [dict(body)]), "sft")
    return tokenizer, Encoder(tokenizer, frozenset([tokenizer.eos_token_id])).encode(one)


def trained_text(tokenizer: Any, one: Encoded) -> str:
    return str(tokenizer.decode([label for label in one.labels if label != NO_LOSS]))


def test_the_loss_is_of_the_assistants_words_and_of_the_token_that_ends_them(
    bare: TrainingJob,
) -> None:
    tokenizer, one = encoded(bare, chat("where is the valve?", "in hall 5"))
    assert trained_text(tokenizer, one) == "in hall 5<|im_end|>"
    assert tokenizer.decode(one.ids).startswith("<|im_start|>user\nwhere is the valve?")


def test_a_turn_of_weight_0_is_read_and_not_learnt(bare: TrainingJob) -> None:
    turns = [
        *chat("where is the valve?", "no idea")["messages"],
        *chat("and the pump?", "in hall 8")["messages"],
    ]
    turns[1]["weight"] = 0
    tokenizer, one = encoded(bare, {"messages": turns})
    assert trained_text(tokenizer, one) == "in hall 8<|im_end|>"
    del turns[1]["weight"]
    tokenizer, one = encoded(bare, {"messages": turns})
    assert trained_text(tokenizer, one) == "no idea<|im_end|>in hall 8<|im_end|>"


@pytest.mark.parametrize("arguments", ['{"part": "valve"}', {"part": "valve"}])
def test_tool_calls_of_either_format_are_learnt_alike(bare: TrainingJob, arguments: Any) -> None:
    body = json.loads(json.dumps(CALLED))
    body["messages"][1]["tool_calls"][0]["function"]["arguments"] = arguments
    tokenizer, one = encoded(with_template(bare, TOOLS), body)
    call, _, said = trained_text(tokenizer, one).partition("<|im_end|>")
    assert json.loads(call)[0]["function"] == {
        "name": "find_part", "arguments": {"part": "valve"},
    }  # fmt: skip
    assert said == "the valve stands in hall 5<|im_end|>"


def test_both_formats_of_a_preference_pair_are_one(bare: TrainingJob) -> None:
    tokenizer = load_tokenizer(find_base(bare.base))
    encoder = Encoder(tokenizer, frozenset([tokenizer.eos_token_id]))
    provider = pair("where is the valve?", "in hall 5", "no idea")
    trl = {
        "prompt": provider["input"]["messages"],
        "chosen": provider["preferred_output"],
        "rejected": provider["non_preferred_output"],
    }
    read = read_chats(write_lines(bare.train, [provider, trl]), "dpo")
    one, other = (encoder.encode_pair(chat) for chat in read)
    assert isinstance(one, EncodedPair)
    assert one.chosen.ids == other.chosen.ids
    assert one.rejected.ids == other.rejected.ids
    assert trained_text(tokenizer, one.chosen) == "in hall 5<|im_end|>"
    assert one.chosen.ids[: one.prompt_tokens] == one.rejected.ids[: one.prompt_tokens]


@pytest.mark.parametrize(
    ("template", "body", "message"),
    [
        (CHATML, {"messages": [{"role": "user", "content": "?"}, {
            "role": "assistant", "content": "!", "weight": 0}]}, "of no token"),
        (CHATML.replace("<|im_end|>", ""), chat("?", "!"), "without a stop token"),
        (CHATML.replace("message['content']", "(message['content'] if loop.last else '')"),
         {"messages": chat("?", "!")["messages"] * 2}, "rewrites earlier turns"),
        (CHATML, CALLED, "leaves out tool calls"),
        (CHATML.replace("{% for", "{{ raise_exception('no system turn') }}{% for"),
         chat("?", "!"), "does not take it: no system turn"),
        (CHATML, {"messages": [{"content": "?"}]}, "no example"),
        (CHATML, pair("?", "!", "."), "no example"),
        (None, chat("?", "!"), "no chat template"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_refused_by_its_line(
    bare: TrainingJob, backend: LocalBackend, template: str | None, body: Any, message: str
) -> None:
    write_lines(bare.train, [body])
    with pytest.raises(Rejected, match=message) as refused:
        backend.prepare(with_template(bare, template))
    assert refused.value.remedy


def test_longer_examples_are_left_out_and_counted_or_refused(
    bare: TrainingJob, backend: LocalBackend
) -> None:
    write_lines(bare.train, [chat("?", "!"), chat("?", "in hall 5 " * 40)])
    prepared = backend.prepare(replace(bare, settings={"max_length": 40}))
    assert (prepared.examples, prepared.too_long) == (1, 1)
    assert prepared.warnings
    assert prepared.price_usd == 0
    assert 0 < prepared.trained_tokens < prepared.tokens <= 40
    with pytest.raises(Rejected, match=r"1 examples .* Raise max_length to \d{3}"):
        backend.prepare(replace(bare, settings={"max_length": 40, "too_long": "refuse"}))
    with pytest.raises(Rejected, match="no example of at most 8 tokens"):
        backend.prepare(replace(bare, settings={"max_length": 8}))


def test_a_file_that_was_altered_after_its_export_is_refused(
    bare: TrainingJob, backend: LocalBackend
) -> None:
    entry = {"file": "train.jsonl", "sha256": hashlib.sha256(bare.train.read_bytes()).hexdigest()}
    manifest = {"content_sha256": "d" * 64, "files": [entry]}
    bare.train.with_name("manifest.json").write_text(json.dumps(manifest))
    assert backend.prepare(bare).examples == 1
    with pytest.raises(Rejected, match="holds the dataset version"):
        backend.prepare(replace(bare, dataset_sha256="e" * 64))
    write_lines(bare.train, [chat("where is the valve?", "in hall 6")])
    with pytest.raises(Rejected, match="altered after its export"):
        backend.prepare(bare)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 8}, "no setting 'rank'"),
        ({"r": 0}, "r is 0"),
        ({"r": True}, "r is True"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"too_long": "cut"}, "too_long is 'cut'"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    bare: TrainingJob, backend: LocalBackend, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(Rejected, match=message):
        backend.prepare(replace(bare, settings=settings))


@pytest.mark.parametrize("base", ["nowhere/at-all", "/nowhere.gguf", "not a name"])
def test_a_base_that_is_not_here_is_refused_and_never_downloaded(
    bare: TrainingJob, backend: LocalBackend, base: str
) -> None:
    with pytest.raises(Rejected, match="no base model"):
        backend.prepare(replace(bare, base=base))
