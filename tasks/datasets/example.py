"""From what was logged to an example: redacted, checked, measured. Pure, a batch at a time.

Everything here depends on one conversation alone, so that it is computed when the conversation is
first seen and kept; what depends on the other conversations is decided anew for each version.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tasks.datasets.dedupe import signatures
from tasks.datasets.quality import flags
from tasks.datasets.redact import redact_values
from tasks.datasets.shape import Body, texts_of
from tasks.datasets.spec import Kind, Spec
from tasks.datasets.tokens import counter
from tasks.datasets.validate import faults
from tasks.datasets.words import Words, languages, words

EXAMPLE_VERSION = 3
"""Raised whenever the same conversation would become another example."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An example before it is made: its body as logged, and where it comes from.

    `state` changes whenever the conversation or its corrections do. `rejected_id` is the second
    conversation of a pair whose answers come from two. `note` is a reason not to use it.
    """

    conversation_id: int
    state: bytes
    body: Body
    ordinals: tuple[int, ...]
    chunk_ids: tuple[int, ...] = ()
    rejected_id: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """An example as it is stored. `words` and `signature` are little-endian bytes."""

    draft: Draft
    body: str
    sha256: bytes
    text_sha256: bytes
    tokens: int
    turns: int
    flags: tuple[str, ...]
    personal: Mapping[str, int]
    language: str | None = None
    words: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True)
class Recipe:
    """What of a spec decides how an example is made; equal recipes share their examples."""

    kind: Kind
    redact: tuple[str, ...]
    model: str
    details: str = ""

    @classmethod
    def of(cls, spec: Spec) -> Recipe:
        """The spec's recipe."""
        details = ""
        if spec.kind == "sft":
            details = f"corrections={spec.quality.corrections}"
        elif spec.kind == "raft":
            details = json.dumps(
                [spec.raft.distractors, spec.raft.without_oracle, spec.raft.answers]
            )
        return cls(spec.kind, spec.redact, spec.model, details)

    @cached_property
    def name(self) -> str:
        """Identifies it; the same for models that count alike."""
        parts = [self.kind, EXAMPLE_VERSION, self.redact, counter(self.model).name, self.details]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
        return f"{self.kind}-{digest}"


def make_examples(drafts: Sequence[Draft], recipe: Recipe) -> list[Example]:
    """Redact, check and measure each draft."""
    made = [_make(draft, recipe) for draft in drafts]
    texts = [said for _, said, _ in made]
    return [
        replace(
            example,
            language=language,
            words=said.astype("<u4").tobytes(),
            signature=signature.astype("<u2").tobytes(),
        )
        for (example, said, _), language, signature in zip(
            made, languages(texts), signatures([own for _, _, own in made]), strict=True
        )
    ]


def _make(draft: Draft, recipe: Recipe) -> tuple[Example, Words, Words]:
    """The example, the words said in it, and those that near-duplicates are told by."""
    redacted, personal = _redacted(draft.body, recipe.redact)
    body = json.dumps(redacted, ensure_ascii=False, separators=(",", ":"))
    texts = texts_of(redacted)
    if recipe.kind == "raft":  # examples are alike by what is said, not by what they show
        texts = [text.rpartition("\n\nQuestion: ")[2] for text in texts]
    said = words(texts)
    messages = redacted["messages"] if "messages" in redacted else redacted["input"]["messages"]
    found = [draft.note] if draft.note else []
    found += [] if recipe.kind == "preference" else flags(messages)
    found += [f"invalid: {fault}" for fault in faults(redacted, recipe.kind)]
    count = counter(recipe.model)
    example = Example(
        draft=draft,
        body=body,
        sha256=hashlib.sha256(body.encode()).digest(),
        text_sha256=hashlib.sha256("\0".join(texts).casefold().encode()).digest(),
        tokens=count.count_messages(_counted(redacted, messages)),
        turns=sum(one["role"] == "assistant" for one in messages) + (recipe.kind == "preference"),
        flags=tuple(found),
        personal=dict(personal),
    )
    # Questions of one conversation have their history in common.
    return example, said, words(texts[-2:]) if recipe.kind == "raft" else said


def _redacted(body: Body, classes: Sequence[str]) -> tuple[Body, Counter[str]]:
    """The example with what is said in it, and what tools say of themselves, redacted."""
    places: list[tuple[dict[str, Any], str]] = []
    copy = _copied(body, classes, places)
    said, counts = redact_values([holder[key] for holder, key in places], classes)
    for (holder, key), value in zip(places, said, strict=True):
        holder[key] = value
    return copy, counts


def _copied(body: Body, classes: Sequence[str], places: list[tuple[dict[str, Any], str]]) -> Body:
    """A copy that may be changed where somebody says something: the `places` as holder and key."""
    copy: Body = dict(body)
    for key in ("messages", "preferred_output", "non_preferred_output"):
        if key in copy:
            copy[key] = [_copied_message(one, classes, places) for one in copy[key]]
    if "input" in copy:
        copy["input"] = _copied(copy["input"], classes, places)
    if "tools" in copy:
        copy["tools"] = [{**tool} for tool in copy["tools"]]
        for tool in copy["tools"]:
            if isinstance(tool.get("function"), dict):
                tool["function"] = {**tool["function"]}
                places += [
                    (tool["function"], key)
                    for key in ("description", "parameters")
                    if key in tool["function"]
                ]
    return copy


def _copied_message(
    message: Mapping[str, Any], classes: Sequence[str], places: list[tuple[dict[str, Any], str]]
) -> dict[str, Any]:
    copy = dict(message)
    if "name" in classes and copy["role"] in ("user", "assistant"):
        copy.pop("name", None)  # of who speaks, where a tool's is what it is called
    places.append((copy, "content"))
    if copy.get("tool_calls"):
        copy["tool_calls"] = [{**call} for call in copy["tool_calls"]]
        for call in copy["tool_calls"]:
            if isinstance(call.get("function"), dict):
                call["function"] = dict(call["function"])
                if "arguments" in call["function"]:
                    places.append((call["function"], "arguments"))
    return copy


def _counted(body: Body, messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts whose tokens are paid for: contents, tool calls, tools, answers."""
    texts = [str(one.get("content") or "") for one in messages]
    texts += [
        f"{call.get('function', {}).get('name')} {call.get('function', {}).get('arguments')}"
        for one in messages
        for call in one.get("tool_calls") or ()
    ]
    tools = body.get("tools") or body.get("input", {}).get("tools")
    if tools:
        texts.append(json.dumps(tools, ensure_ascii=False))
    for side in ("preferred_output", "non_preferred_output"):
        texts += [str(one.get("content") or "") for one in body.get(side) or ()]
    return texts
