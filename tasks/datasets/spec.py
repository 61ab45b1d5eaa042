"""What a dataset is made of and how: a small YAML or JSON file, read strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["sft", "preference", "raft"]
KINDS: tuple[Kind, ...] = ("sft", "preference", "raft")
Format = Literal["openai", "hf-messages"]
SPLITS = ("train", "validation", "test")
REDACTIONS = (
    "secret", "email", "iban", "card", "national_id", "ip", "phone", "address", "name",
)  # fmt: skip
"""Classes of personal data, the surest first: where two overlap, the earlier one wins."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which conversations are looked at: all that meet `filter` and the SQL predicate `where`."""

    filter: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """What makes a conversation worth learning from. Lengths are in the tokenizer's tokens."""

    corrections: bool = True
    exclude_negative: bool = True
    require_positive: bool = False
    min_score: float | None = None
    exclude_refusals: bool = True
    exclude_errors: bool = True
    languages: tuple[str, ...] = ()
    min_tokens: int = 8
    max_tokens: int = 65_536
    min_turns: int = 1


@dataclass(frozen=True, slots=True)
class Dedupe:
    """`near` is the Jaccard similarity of 3-word shingles from which two are the same; 0: off."""

    exact: bool = True
    near: float = 0.6


@dataclass(frozen=True, slots=True)
class Decontaminate:
    """An example that shares an n-gram of words with a golden question, or this share with test."""

    golden: bool = True
    ngram: int = 13
    test_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Mix:
    """General data, to keep what the model knew: at most this share of the training examples."""

    filter: Mapping[str, Any]
    share: float


@dataclass(frozen=True, slots=True)
class Balance:
    """The most training examples that one user, or one tag, may bring."""

    per_user: int | None = None
    per_tag: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the groups. Datasets with the same key split the same groups alike."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    key: str = "openbook"


@dataclass(frozen=True, slots=True)
class Raft:
    """Retrieval-augmented fine-tuning (Zhang et al. 2024, arXiv 2403.10131)."""

    distractors: int = 4
    without_oracle: float = 0.2
    answers: Literal["log", "model"] = "log"


@dataclass(frozen=True, slots=True)
class Price:
    """Overrides the price list; `epochs` unset: the provider's default of 3 within its bounds."""

    usd_per_million_tokens: float | None = None
    epochs: int | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a new version is worth making: `negative_share` is asked of that many judgements."""

    new_examples: int = 100
    negative_share: float = 0.2
    min_judgements: int = 20
    max_age_days: float = 30.0
    cooldown_hours: float = 24.0


@dataclass(frozen=True)
class Spec:
    """A dataset's recipe. The same recipe over the same conversations gives the same bytes.

    `model` is the model to be trained: its tokenizer counts, and its price is shown. `format` is
    that of the exported files: as OpenAI's fine-tuning API takes them, and those that follow it, or
    as Hugging Face's `trl` does. What the examples say, and the version's hash, are the same.
    """

    name: str
    kind: Kind
    model: str = "gpt-4.1-mini"
    format: Format = "openai"
    source: Source = field(default_factory=Source)
    quality: Quality = field(default_factory=Quality)
    redact: tuple[str, ...] = REDACTIONS
    dedupe: Dedupe = field(default_factory=Dedupe)
    decontaminate: Decontaminate = field(default_factory=Decontaminate)
    mix: Mix | None = None
    balance: Balance = field(default_factory=Balance)
    split: Split = field(default_factory=Split)
    raft: Raft = field(default_factory=Raft)
    price: Price = field(default_factory=Price)
    trigger: Trigger = field(default_factory=Trigger)

    def as_json(self) -> dict[str, Any]:
        """Every field with its value; what is stored with a version."""
        return asdict(self)

    @cached_property
    def sha256(self) -> bytes:
        """The identity of the recipe, whatever the order and spelling of its file.

        What can be said since only later makes no other recipe of one that does not say it.
        """
        said = self.as_json()
        if self.trigger.min_judgements == Trigger().min_judgements:
            del said["trigger"]["min_judgements"]
        return hashlib.sha256(
            json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        ).digest()
