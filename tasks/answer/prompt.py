"""As many of the passages as a model's window has room for, in the order that it reads best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.answer.passages import Passage, shorten
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.prompt import (
    ALONE,
    LONGEST_MARK,
    ask,
    harmless,
    instructions,
    mark_of,
    show,
    show_all,
)
from tasks.records import ChatModel

Message = dict[str, str]

_CL100K = re.compile(r"(?:ft:)?(?:gpt-4|gpt-3\.5)(?!o|\.)")
_ESTIMATED_SHARE = 0.85
"""Of a window whose model has another vocabulary than ours, so much is filled by our count."""
_ANSWER_TOKENS = 1024
_MESSAGE_TOKENS = 8
"""What chat formats add to a message, at most."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens of a model's window what is shown may take; `exact` if they are its own."""

    shown: int
    answer: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages to send, the passages in them, and how many tokens these take, as counted here."""

    messages: tuple[Message, ...]
    passages: tuple[Passage, ...]
    context_tokens: int


def budget_of(model: ChatModel) -> Budget:
    """What a model's window has room for. Counts are an estimate but for OpenAI's cl100k models."""
    exact = bool(_CL100K.match(model.model))
    usable = int(model.window * (1.0 if exact else _ESTIMATED_SHARE))
    answer = min(_ANSWER_TOKENS, usable // 4)
    return Budget(usable - answer, answer, exact)


def count_tokens(text: str) -> int:
    """The text's tokens, in cl100k: OpenAI's own, and an estimate for every other model."""
    return Cl100kTokenizer().count(text)


def assemble(
    question: str,
    passages: Sequence[Passage],
    budget: Budget,
    history: Sequence[Message] = (),
    *,
    whole: bool = False,
) -> Prompt:
    """The prompt of a question: as many of the passages, best first, as there is room for.

    The best passages stand first and last, where models read best (Liu et al. 2024, "Lost in the
    middle"). With `whole` they are a collection's documents: they keep their order, stand before
    all that was said, and are all shown; see `tasks.answer.long_context`. Of the `history` the
    latest turns stay, within a quarter of the budget.
    """
    said = _latest(history, budget.shown // 4)
    fixed = [
        instructions(LONGEST_MARK),
        question,
        *(message["content"] for message in said),
    ]
    room = budget.shown - sum(count_tokens(text) + _MESSAGE_TOKENS for text in fixed)
    shown = list(passages) if whole else _fitting(passages, room)
    mark = mark_of([passage.shown for passage in shown])
    placed = shown if whole else _at_ends(shown)
    text = show_all([passage.shown for passage in placed], mark)
    turns = [*said, {"role": "user", "content": ask(question)}]
    if text:
        first = 0 if whole else len(turns) - 1
        turns[first] = {"role": "user", "content": f"{text}\n\n{turns[first]['content']}"}
    system = instructions(mark) if shown else ALONE
    return Prompt(
        ({"role": "system", "content": system}, *turns),
        tuple(shown),
        count_tokens(text) if text else 0,
    )


def _fitting(passages: Sequence[Passage], room: int) -> list[Passage]:
    """The best passages that fit; of a best one that is too long alone, its beginning."""
    kept: list[Passage] = []
    for passage in passages:
        tokens = _tokens(passage)
        if tokens <= room:
            kept.append(passage)
            room -= tokens
            continue
        if not kept and room > 0:
            part = passage
            while tokens > room and len(part.text) > 1:
                part = shorten(part, int(len(part.text) * min(0.9, room / tokens)))
                tokens = _tokens(part)
            kept.append(part)
        break
    return kept


def _tokens(passage: Passage) -> int:
    return count_tokens(show(passage.shown, LONGEST_MARK)) + 1


def _at_ends(passages: Sequence[Passage]) -> list[Passage]:
    """The best first, the second best last, and so on towards the middle."""
    return [*passages[::2], *reversed(passages[1::2])]


def _latest(history: Sequence[Message], tokens: int) -> list[Message]:
    """The latest turns within so many tokens, from a question on."""
    kept: list[Message] = []
    for message in reversed(history):
        tokens -= count_tokens(message["content"]) + _MESSAGE_TOKENS
        if tokens < 0:
            break
        kept.append({"role": message["role"], "content": harmless(message["content"])})
    kept.reverse()
    while kept and kept[0]["role"] != "user":
        del kept[0]
    return kept
