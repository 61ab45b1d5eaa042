"""Retrieval-augmented fine-tuning (Zhang et al. 2024, arXiv 2403.10131): answers that quote.

The model is shown what `openbook answer` will show it, and taught to answer as it is asked there:
the quotes, each with the number of its passage, then the answer. Where the paper leaves room:
distractors are what our own search finds for the question, without
the passage that answers it and without passages that hold the answer too; every quote stands word
for word in its passage; an example without that passage has the answer without a quote, so that
nobody learns to quote what is not there. Splits are by user, else conversation, as for every kind:
in service the documents are those that were trained on, and a split by document as well would part
with a third of the examples, those whose user and document fall on different sides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from tasks.database import connect, query
from tasks.datasets.example import Draft
from tasks.datasets.preference import draft_state
from tasks.datasets.shape import Body
from tasks.datasets.spec import Raft, Spec
from tasks.prompt import Shown, harmless, prompt
from tasks.settings import Settings

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\d+|\w{3,}")
_LEAST_SUPPORT = 0.3
"""The share of the answer's words that the passage must hold for it to be what it rests on."""
_MOST_OVERLAP = 0.85
"""A passage that holds this much of what the oracle holds answers the question too."""
_MOST_QUOTES = 2
_SHORT_QUESTION = 6
"""Words below which a question means little without the one before it."""
_MARKS = frozenset("“”")
"""What encloses a quote cannot stand in it."""
WRITTEN = "each between ##begin_quote## and ##end_quote##. Then write ##Answer: and"
"""How the paper has quotes and answers marked, and so we ask for them."""
_WRITTEN_QUOTE = re.compile(r"##begin_quote##(.*?)##end_quote##", re.DOTALL)
_SPARE = 12
_AT_ONCE = 50

Passage = tuple[int, str, str]
"""Its chunk, its text, and where it stands."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was answered from retrieved passages, as it was logged.

    `asked` is what was searched for: the question, a short one after the question before it, as
    `openbook answer` searches. `history` are role and text of what was said before.
    """

    conversation_id: int
    ordinals: tuple[int, ...]
    question: str
    asked: str
    history: tuple[tuple[str, str], ...]
    answer: str
    oracle: Passage
    distractors: tuple[Passage, ...]
    support: float

    @property
    def answerable(self) -> bool:
        """Whether a passage that was retrieved holds the answer."""
        return self.support >= _LEAST_SUPPORT


def questions(connection: Connection, spec: Spec, settings: Settings) -> Iterator[Question]:
    """The questions of the temporary table `chosen`, each with its oracle and its distractors.

    An answer that was corrected is its correction, where the spec has corrections win.
    """
    raft, corrections = spec.raft, {"corrections": spec.quality.corrections}
    rows = connection.execute(query("curate_questions"), corrections).fetchall()
    whole = [_searched(str(row[3]), row[7]) for row in rows]
    places = list(zip(whole, [str(row[5]) for row in rows], strict=True))
    searches = list(dict.fromkeys(places))
    most = raft.distractors + _SPARE
    found = dict(zip(searches, _search(connection, settings, searches, most), strict=True))
    for row, place in zip(rows, places, strict=True):
        conversation_id, ordinal, asked, question, answer, _, chunks, history = row
        retrieved = [_passage(one) for one in chunks]
        known = {one[0] for one in retrieved}
        news = informative(answer, place[0])
        oracle = max(retrieved, key=lambda one: _share(news, one[1]))
        others = [one for one in found[place] if one[0] not in known]
        others += [one for one in retrieved if one[0] != oracle[0]]
        yield Question(
            conversation_id,
            (*(one[0] for one in history), asked, ordinal),
            question,
            place[0],
            tuple((role, harmless(text)) for _, role, text in history),
            answer,
            oracle,
            tuple(_distractors(others, oracle, news, raft.distractors + 1)),
            share_held(answer, oracle[1]),
        )


def _searched(question: str, history: Sequence[Sequence[Any]]) -> str:
    before = next((text for _, role, text in reversed(history) if role == "user"), None)
    if before is None or len(question.split()) >= _SHORT_QUESTION:
        return question
    return f"{before} {question}"


def _search(
    connection: Connection, settings: Settings, searches: Sequence[tuple[str, str]], most: int
) -> list[list[Passage]]:
    """What is found for each question in its collection, best first; many by every core."""
    batches = [searches[at : at + _AT_ONCE] for at in range(0, len(searches), _AT_ONCE)]
    if len(batches) < 2:
        return [one for batch in batches for one in _candidates(connection, batch, most)]

    def search(batch: Sequence[tuple[str, str]]) -> list[list[Passage]]:
        with connect(settings, application_name="openbook curate") as beside:
            return _candidates(beside, batch, most)

    with ThreadPoolExecutor(settings.parse_workers) as pool:
        return [one for found in pool.map(search, batches) for one in found]


def _candidates(
    connection: Connection, searches: Sequence[tuple[str, str]], most: int
) -> list[list[Passage]]:
    questions, collections = zip(*searches, strict=True)
    rows = connection.execute(
        query("curate_candidates"),
        {"candidates": most, "questions": list(questions), "collections": list(collections)},
    )
    return [[_passage(one) for one in row[0]] for row in rows]


def _passage(row: Sequence[Any]) -> Passage:
    return int(row[0]), str(row[1]), str(row[2])


def _distractors(
    found: Sequence[Passage], oracle: Passage, news: Set[str], most: int
) -> Iterator[Passage]:
    seen = {oracle[1]}
    limit = _MOST_OVERLAP * _share(news, oracle[1])
    for one in found:
        if most == 0:
            return
        if one[1] not in seen and _share(news, one[1]) < limit:
            seen.add(one[1])
            most -= 1
            yield one


def share_held(answer: str, passage: str) -> float:
    """The share of the answer's different words that the passage holds."""
    return _share(_words(answer), passage)


def informative(answer: str, question: str) -> Set[str]:
    """The answer's words that the question does not give away; all where it gives all away."""
    return _words(answer) - _words(question) or _words(answer)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _share(words: Set[str], passage: str) -> float:
    return len(words & _words(passage)) / len(words) if words else 0.0


def raft_draft(one: Question, raft: Raft, written: str | None = None, writer: str = "") -> Draft:
    """The question's example.

    `written` is the answer that the model called `writer` wrote, with its quotes marked as
    `WRITTEN` has them; without it the logged one is taken, with the sentences of the passage that
    say most of it as quotes.
    """
    shown = _place(f"oracle\0{one.question}\0{one.oracle[1]}") >= raft.without_oracle
    passages = [
        *one.distractors[: raft.distractors + (not shown)],
        *([one.oracle] if shown else []),
    ]
    passages.sort(key=lambda passage: _place(f"{one.question}\0{passage[1]}"))
    state = draft_state([one.history, one.question, one.answer, one.oracle, passages, writer])
    note: str | None = None
    quotes: list[str] = []
    if not one.answerable:
        note, said = "draft: no retrieved passage holds the answer", one.answer
    elif written is not None:
        quotes, said = read_written(written)
        note = _fault(quotes, said, one.oracle[1])
    else:
        quotes, said = quotes_of(one.answer, one.oracle[1]), one.answer
    numbered = [Shown(number, *passage[2:0:-1]) for number, passage in enumerate(passages, 1)]
    oracle = next((each.number for each in numbered if each.text == one.oracle[1]), None)
    cited = [f"“{quote}” [{oracle}]" for quote in quotes] if oracle is not None else []
    told, question = prompt(one.question, numbered)
    body: Body = {
        "messages": [
            told,
            *(_before(role, text) for role, text in one.history),
            question,
            {"role": "assistant", "content": "\n".join([*cited, said])},
        ]
    }
    chunks = tuple(chunk for chunk, _, _ in passages)
    return Draft(one.conversation_id, state, body, one.ordinals, chunks, note=note)


def _before(role: str, text: str) -> Body:
    """A message of the history, which is read and not learnt."""
    return {"role": role, "content": text, **({"weight": 0} if role == "assistant" else {})}


def quotes_of(answer: str, passage: str) -> list[str]:
    """The sentences of the passage that hold most of the answer's words, at most two, in order."""
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(passage)]
    sentences = [
        sentence
        for sentence in dict.fromkeys(sentences)
        if len(_WORD.findall(sentence)) >= 3 and not _MARKS & set(sentence)
    ]
    ranked = sorted(sentences, key=lambda sentence: -share_held(answer, sentence))
    best = {sentence for sentence in ranked[:_MOST_QUOTES] if share_held(answer, sentence) > 0}
    return [sentence for sentence in sentences if sentence in best]


def read_written(written: str) -> tuple[list[str], str]:
    """The quotes and the answer of a text that marks them as `WRITTEN` asks, if it does."""
    quotes = [quote.strip() for quote in _WRITTEN_QUOTE.findall(written)]
    return quotes, written.rpartition("##Answer:")[2].strip() if "##Answer:" in written else ""


def _fault(quotes: Sequence[str], said: str, passage: str) -> str | None:
    if not quotes or not said:
        return "draft: the written answer quotes nothing"
    if any(quote not in passage for quote in quotes):
        return "draft: a quote is not in its passage"
    return None


def _place(key: str) -> float:
    """Where a key falls between 0 and 1; the same for ever."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
