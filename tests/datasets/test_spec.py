"""A spec is read strictly: what is unknown or wrong is refused with its line and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.datasets.read_spec import parse_spec, read_spec
from tasks.errors import Rejected

SPECS = Path(__file__).parents[2] / "deployments" / "datasets"
LEAST = "name: support\nkind: sft\n"


def test_two_keys_are_enough() -> None:
    spec = parse_spec(LEAST)
    assert (spec.name, spec.kind, spec.split.train) == ("support", "sft", 0.8)


@pytest.mark.parametrize("kind", ["sft", "preference", "raft"])
def test_the_ready_specs_are_valid(kind: str) -> None:
    assert read_spec(SPECS / f"{kind}.yaml").kind == kind


def test_json_is_read_as_yaml_is_and_order_does_not_matter() -> None:
    one = parse_spec('{"kind": "sft", "name": "support", "quality": {"min_tokens": 8}}')
    assert one.sha256 == parse_spec(LEAST).sha256
    assert one.sha256 != parse_spec(LEAST + "model: gpt-4o\n").sha256


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (LEAST + "qualty: {}\n", 3, "Did you mean 'quality'?"),
        (LEAST + "quality:\n  min_tokens: 3\n  min_token: 4\n", 5, "'min_tokens'"),
        (LEAST + "quality:\n  min_tokens: few\n", 4, "a whole number"),
        (LEAST + "quality: [1]\n", 3, "is not a mapping"),
        (LEAST + "redact: [email, shoe]\n", 3, "'shoe'"),
        (LEAST + "redact: email\n", 3, "is not a list"),
        (LEAST + "split:\n  train: 0.9\n", 3, "does not add up to 1"),
        (LEAST + "dedupe:\n  near: 1.5\n", 4, "a share from 0 to 1"),
        (LEAST + "mix:\n  share: 0.1\n", 4, "'mix.filter' is missing"),
        (LEAST + "name: again\n", 3, "stands twice"),
        (LEAST + "quality:\n  min_turns: true\n", 4, "a whole number"),
        (LEAST + "format: alpaca\n", 3, "one of openai, hf-messages"),
        ("name: support\nkind: rlhf\n", 2, "one of sft, preference, raft"),
        ("name: Bad Name\nkind: sft\n", 1, "a-z"),
        ("kind: sft\n", 1, "'name' is missing"),
    ],
)
def test_a_fault_is_refused_with_its_line_and_what_to_write(
    text: str, line: int, says: str
) -> None:
    with pytest.raises(Rejected) as refused:
        parse_spec(text, "a.yaml")
    assert f"a.yaml, line {line}:" in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "- a\n", "a: [", "kind: sft\nname: &a [*a]\n", "!!python/object x"]
)
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        parse_spec(text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_spec(tmp_path / "none.yaml")
