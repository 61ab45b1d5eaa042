"""From chats to tokens, and which of them the loss is taken of; proved before anything is trained.

Stock chat templates do not mark assistants' turns. They are found by rendering: what a template
adds between the prompt of a turn and the end of that turn is what the model has to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import Rejected
from tasks.training.local.examples import Chat, Message

NO_LOSS = -100
"""The label of a token that the loss is not taken of."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens of one sequence; a label is the token itself, or NO_LOSS."""

    chat: Chat
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def trained(self) -> int:
        """How many tokens the loss is taken of."""
        return sum(label != NO_LOSS for label in self.labels)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A preference pair: two sequences that begin with the same prompt."""

    chosen: Encoded
    rejected: Encoded

    @property
    def prompt_tokens(self) -> int:
        """How many tokens both have in common before either is trained."""
        places = [
            next(place for place, label in enumerate(one.labels) if label != NO_LOSS)
            for one in (self.chosen, self.rejected)
        ]
        return min(places)


@dataclass(frozen=True)
class Encoder:
    """A base model's tokenizer with its chat template, and the tokens that end an answer."""

    tokenizer: Any
    stop_ids: frozenset[int]
    assistant_only: bool = True

    def encode(self, chat: Chat) -> Encoded:
        """A supervised example; the loss is of assistants' turns whose weight is not 0.

        Raises Rejected, naming the line, where the template cannot write the example, or where the
        loss would be of nothing, or never of a stop token.
        """
        text, turns = self._turns(chat)
        said = [one for one in chat.messages if one["role"] == "assistant"]
        spans = [
            span for span, one in zip(turns, said, strict=True) if one.get("weight", 1) != 0
        ]  # fmt: skip
        self._require_tools(chat, [text[start:end] for start, end in turns])
        tokens = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = tuple(tokens["input_ids"])
        labels = [NO_LOSS] * len(ids)
        for start, end in spans:
            within = [
                place
                for place, (first, last) in enumerate(tokens["offset_mapping"])
                if start <= first < last <= end
            ]
            stops = [place for place in within if ids[place] in self.stop_ids]
            if not stops:
                raise self._unstopped(chat)
            for place in within[: within.index(stops[-1]) + 1]:
                labels[place] = ids[place]
        if not any(label != NO_LOSS for label in labels):
            raise Rejected(
                f"Line {chat.line}: the loss would be taken of no token",
                "Give an assistant's turn whose weight is not 0.",
            )
        return Encoded(chat, ids, tuple(labels) if self.assistant_only else ids)

    def encode_pair(self, chat: Chat) -> EncodedPair:
        """A preference pair; the loss is of either answer. Raises Rejected as `encode` does."""
        assert chat.answers is not None
        sides = []
        for answer in chat.answers:
            whole = Chat(chat.line, chat.sha256, (*chat.messages, answer), chat.tools)
            sides.append(self._last_turn(whole))
        return EncodedPair(*sides)

    def _last_turn(self, chat: Chat) -> Encoded:
        muted = tuple(
            {**one, "weight": 0} if one["role"] == "assistant" else one
            for one in chat.messages[:-1]
        )
        messages = (*muted, {**chat.messages[-1], "weight": 1})
        only = Encoder(self.tokenizer, self.stop_ids)
        return only.encode(Chat(chat.line, chat.sha256, messages, chat.tools))

    def _turns(self, chat: Chat) -> tuple[str, list[tuple[int, int]]]:
        """The rendered text, and where in it each assistant's turn stands."""
        for template in self._templates():
            text = self._render(chat.messages, chat, template)
            turns = []
            for place, message in enumerate(chat.messages):
                if message["role"] == "assistant" and place:
                    before = self._render(chat.messages[:place], chat, template, prompt=True)
                    upto = self._render(chat.messages[: place + 1], chat, template)
                    if not (text.startswith(upto) and upto.startswith(before)):
                        break
                    turns.append((len(before), len(upto)))
                elif message["role"] == "assistant":
                    turns.append((0, 0))
            else:
                return text, turns
        raise Rejected(
            f"Line {chat.line}: the base model's chat template rewrites earlier turns",
            "Its assistants' turns cannot be told from the rest; give a template that only adds.",
        )

    def _templates(self) -> Iterable[str | None]:
        """The model's own template, then the one that trl has for training with it, if any."""
        yield None
        from trl.chat_template_utils import get_training_chat_template

        try:
            template = get_training_chat_template(self.tokenizer)
        except (ValueError, TypeError):
            return
        if template:
            yield template

    def _render(
        self, messages: Sequence[Message], chat: Chat, template: str | None, prompt: bool = False
    ) -> str:
        from jinja2 import TemplateError

        try:
            return str(
                self.tokenizer.apply_chat_template(
                    [{k: v for k, v in one.items() if k != "weight"} for one in messages],
                    tools=list(chat.tools) or None,
                    chat_template=template,
                    add_generation_prompt=prompt,
                    tokenize=False,
                )
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise Rejected(
                f"Line {chat.line}: the base model's chat template does not take it: {error}",
                "Take a base whose template has the roles and tools that the dataset has.",
            ) from None

    def _require_tools(self, chat: Chat, turns: Sequence[str]) -> None:
        said = [one for one in chat.messages if one["role"] == "assistant"]
        for text, message in zip(turns, said, strict=True):
            for call in message.get("tool_calls") or ():
                if call["function"]["name"] not in text:
                    raise Rejected(
                        f"Line {chat.line}: the base model's chat template leaves out tool calls",
                        "Take a base whose template writes them, or leave such examples out.",
                    )

    def _unstopped(self, chat: Chat) -> Rejected:
        names = ", ".join(map(repr, self.tokenizer.convert_ids_to_tokens(sorted(self.stop_ids))))
        return Rejected(
            f"Line {chat.line}: the assistant's turn ends without a stop token ({names})",
            "The model would never learn to stop; its chat template must write one after a turn.",
        )
