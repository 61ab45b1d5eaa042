"""What a run will train on, proved before it starts: files, tokens, what the loss is taken of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.training.backend import Method, TrainingJob
from tasks.training.local.base import Base, load_tokenizer, stop_ids
from tasks.training.local.encode import Encoded, EncodedPair, Encoder
from tasks.training.local.examples import check_files, read_chats
from tasks.training.local.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Proof:
    """The encoded examples of a job that can be trained; each has a stop token under its loss."""

    train: tuple[Encoded | EncodedPair, ...]
    validation: tuple[Encoded | EncodedPair, ...]
    too_long: int
    tokenizer: Any

    @property
    def tokens(self) -> int:
        """The tokens of the training split, once over."""
        return sum(len(one.ids) for example in self.train for one in _sides(example))

    @property
    def trained_tokens(self) -> int:
        """Those of them that the loss is taken of."""
        return sum(one.trained for example in self.train for one in _sides(example))


def prove(job: TrainingJob, recipe: Recipe, base: Base) -> Proof:
    """Encode a job's files as they will be trained on.

    Raises Rejected where a file was altered or holds no such examples, the base has no tokenizer
    that can write them, the loss would be of nothing or never of a stop token, or where examples
    are too long and the recipe refuses that.
    """
    check_files(job)
    tokenizer = load_tokenizer(base)
    encoder = Encoder(tokenizer, stop_ids(base, tokenizer), recipe.assistant_only)
    train, too_long = _encode(job.train, job.method, encoder, recipe)
    if not train:
        raise Rejected(
            f"{job.train} holds no example of at most {recipe.max_length} tokens",
            "Raise max_length, or curate shorter examples.",
        )
    validation: Sequence[Encoded | EncodedPair] = ()
    if job.validation:
        validation, _ = _encode(job.validation, job.method, encoder, recipe)
    return Proof(tuple(train), tuple(validation), too_long, tokenizer)


def _encode(
    file: Path, method: Method, encoder: Encoder, recipe: Recipe
) -> tuple[list[Encoded | EncodedPair], int]:
    """The examples that fit, and how many do not."""
    fitting: list[Encoded | EncodedPair] = []
    longest = too_long = 0
    for chat in read_chats(file, method):
        example = encoder.encode(chat) if method == "sft" else encoder.encode_pair(chat)
        length = max(len(one.ids) for one in _sides(example))
        if length <= recipe.max_length:
            fitting.append(example)
        else:
            too_long, longest = too_long + 1, max(longest, length)
    if too_long and recipe.too_long == "refuse":
        raise Rejected(
            f"{too_long} examples of {file} are longer than {recipe.max_length} tokens",
            f"Raise max_length to {longest}, or leave them out with too_long: leave_out.",
        )
    return fitting, too_long


def _sides(example: Encoded | EncodedPair) -> tuple[Encoded, ...]:
    return (example,) if isinstance(example, Encoded) else (example.chosen, example.rejected)
