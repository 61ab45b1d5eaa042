"""How likely a model finds the answers of a split: negative log-likelihoods, one an example.

The same file gives the same examples in the same order under every model, so that two models are
compared pair by pair: that tells apart what generated texts cannot, and needs no judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.training.local.adapter import load_adapter
from tasks.training.local.base import find_base, load_model, load_tokenizer, stop_ids
from tasks.training.local.encode import NO_LOSS, Encoded, Encoder
from tasks.training.local.examples import read_chats


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One example under one model: `nll` is the sum over `tokens` tokens, in nats.

    `example` is the sha256 of the example's line.
    """

    example: str
    tokens: int
    nll: float

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nll / self.tokens


def likelihoods(
    base: str, file: Path, adapter: Path | None = None, max_length: int = 2048
) -> tuple[Likelihood, ...]:
    """How likely a base, with an adapter or without, finds the assistants' turns of a JSONL file.

    One value an example, in the file's order; examples of more than `max_length` tokens are left
    out, under every adapter alike.

    Raises Rejected where the base is not on this machine, the adapter is not the base's or was
    altered, or an example cannot be written by the base's chat template.
    """
    found = find_base(base)
    tokenizer = load_tokenizer(found)
    encoder = Encoder(tokenizer, stop_ids(found, tokenizer))
    encoded = [encoder.encode(chat) for chat in read_chats(file, "sft")]
    model = load_adapter(found, adapter) if adapter else load_model(found)
    return tuple(measure(model, [one for one in encoded if len(one.ids) <= max_length]))


def measure(model: Any, sequences: Iterable[Encoded]) -> list[Likelihood]:
    """The likelihood of each sequence's labels under a model, where the model lies."""
    import torch

    found = []
    model.eval()
    with torch.no_grad():
        for one in sequences:
            ids = torch.tensor([one.ids], device=model.device)
            targets = torch.tensor(one.labels[1:], device=model.device)
            places = (targets != NO_LOSS).nonzero().flatten()
            logits = model(input_ids=ids).logits[0, places].float()
            nll = torch.nn.functional.cross_entropy(logits, targets[places], reduction="sum")
            found.append(Likelihood(one.chat.sha256, len(places), nll.item()))
    return found


def mean_nll(measured: Sequence[Likelihood]) -> float:
    """Nats a token over all examples; NaN for none."""
    tokens = sum(one.tokens for one in measured)
    return sum(one.nll for one in measured) / tokens if tokens else math.nan
