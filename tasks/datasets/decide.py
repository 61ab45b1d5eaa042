"""Which examples come into a version and which split each is in; why the others do not.

Everything is decided in one transaction over temporary tables: `chosen` conversations, their
`drafted` examples, the `curated` rows with the step and reason of each that falls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from tasks.database import query
from tasks.datasets.decontaminate import LEAST_WORDS, golden_overlap, held_out_share
from tasks.datasets.dedupe import PERMUTATIONS, Signatures, clusters
from tasks.datasets.example import Draft, Recipe, make_examples
from tasks.datasets.spec import SPLITS, Spec
from tasks.datasets.store import store_examples
from tasks.datasets.words import words

_ROWS_AT_ONCE = 5_000
_OWNERSHIP_SIMILARITY = 0.6
"""Held-out examples own what is this similar, even where nearer duplicates may stay."""


@dataclass(frozen=True, slots=True)
class Fall:
    """One line of the funnel: how many examples fell at a step, for a reason.

    Of the step `source`: how many conversations or examples came in.
    """

    step: str
    reason: str
    examples: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What a version would be: `content_sha256` covers every split; tokens are the training's.

    `examples` are those of `splits`, beside the golden questions: as many as `sources` brought and
    `funnel` let through.
    """

    content_sha256: bytes
    examples: int
    tokens: int
    splits: dict[str, int]
    golden: tuple[bytes, ...]
    sources: tuple[Fall, ...]
    funnel: tuple[Fall, ...]

    @property
    def conversations(self) -> int:
        """How many the source named, general data left out."""
        return self.sources[0].examples


def decide(
    connection: Connection, spec: Spec, recipe: Recipe, drafts: Sequence[Draft] | None
) -> Decision:
    """Fill `curated` from `chosen` and the stored examples; what a version of it would be.

    `drafts` are those of a kind that is not one example a conversation; None for the one that is.
    """
    golden = _golden_questions(connection)
    connection.execute(
        query("curate_drafted"),
        {
            "recipe": recipe.name,
            "by_draft": drafts is not None,
            "conversations": [draft.conversation_id for draft in drafts or ()],
            "states": [draft.state for draft in drafts or ()],
            "key": spec.split.key,
            "validation": spec.split.validation,
            "test": spec.split.test,
        },
    )
    connection.execute("analyze drafted")
    _measure(connection, spec, golden)
    connection.execute(
        query("curate_rows"),
        {
            "exclude_refusals": spec.quality.exclude_refusals,
            "exclude_errors": spec.quality.exclude_errors,
            "languages": list(spec.quality.languages),
            "min_tokens": spec.quality.min_tokens,
            "max_tokens": spec.quality.max_tokens,
            "min_turns": spec.quality.min_turns,
            "exclude_negative": spec.quality.exclude_negative and spec.kind != "preference",
            "require_positive": spec.quality.require_positive,
            # A pair was judged by itself; of what a model writes anew, the question alone is taken.
            "exclude_own": spec.kind == "sft"
            or (spec.kind == "raft" and spec.raft.answers == "log"),
            "min_score": spec.quality.min_score,
            "test_share": spec.decontaminate.test_share or 2.0,
        },
    )
    connection.execute("analyze curated")
    connection.execute(
        query("curate_duplicates"), {"exact": spec.dedupe.exact, "near": spec.dedupe.near > 0}
    )
    if spec.balance.per_user is not None or spec.balance.per_tag is not None:
        connection.execute(
            query("curate_balance"),
            {"per_user": spec.balance.per_user, "per_tag": spec.balance.per_tag},
        )
    if spec.mix is not None:
        connection.execute(query("curate_mix"), {"share": spec.mix.share})
    return _decided(connection, recipe, golden)


def golden_recipe(recipe: Recipe) -> str:
    """The recipe's name for golden questions, which no redaction touches."""
    return f"golden-{recipe.name}"


def _golden_questions(connection: Connection) -> list[str]:
    rows = connection.execute("select distinct question from openbook.golden_questions order by 1")
    return [row[0] for row in rows]


def _golden_answers(connection: Connection) -> list[str]:
    """The expected answers that are long enough to tell where they came from."""
    rows = connection.execute(
        "select distinct expected_answer from openbook.golden_questions"
        " where expected_answer is not null order by 1"
    )
    return [answer for (answer,) in rows if len(answer.split()) >= LEAST_WORDS]


def _measure(connection: Connection, spec: Spec, golden: Sequence[str]) -> None:
    """Fill `measured`: each draft's near-duplicates, family, and overlap with what is held out."""
    outside: list[bool] = []
    sizes_list: list[int] = []
    said, signed_bytes = bytearray(), bytearray()
    with connection.cursor("drafted", binary=True) as rows:
        rows.itersize = _ROWS_AT_ONCE
        for is_held_out, its_words, signature in rows.execute(query("curate_drafted_words")):
            outside.append(is_held_out)
            sizes_list.append(len(its_words) // 4)
            said += its_words
            signed_bytes += signature
    held_out = np.array(outside, np.bool_)
    flat = np.frombuffer(said, np.dtype("<u4")).astype(np.uint32, copy=False)
    sizes = np.array(sizes_list, np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])) if len(sizes) else sizes
    signed = np.frombuffer(signed_bytes, np.dtype("<u2")).astype(np.uint16, copy=False)
    held_back = [*golden, *_golden_answers(connection)] if spec.decontaminate.golden else []
    asked = [words([text]) for text in held_back]
    ngram = spec.decontaminate.ngram
    with ThreadPoolExecutor(1) as beside:  # NumPy lets two cores work
        similar = beside.submit(_alike, signed.reshape(-1, PERMUTATIONS), spec.dedupe.near)
        found = golden_overlap(flat, starts, asked, ngram) >= 0
        shares = held_out_share(flat, starts, held_out, ngram)
        labels, families = similar.result()
    connection.execute(
        "create temporary table measured (ordinal integer, cluster integer, family integer,"
        " golden boolean, overlap double precision) on commit drop"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("copy measured from stdin (format binary)") as copy,
    ):
        copy.set_types(["int4", "int4", "int4", "bool", "float8"])
        for row in zip(
            range(1, len(sizes) + 1), labels.tolist(), families.tolist(), found.tolist(),
            shares.tolist(), strict=True,
        ):  # fmt: skip
            copy.write_row(row)
    connection.execute("analyze measured")


def _alike(signed: Signatures, near: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The clusters of near-duplicates, and the families that what is held out owns."""
    if 0 < near <= _OWNERSHIP_SIMILARITY:
        labels = clusters(signed, near)
        return labels, labels
    families = clusters(signed, _OWNERSHIP_SIMILARITY)
    return clusters(signed, near) if near else families, families


def _decided(connection: Connection, recipe: Recipe, golden: Sequence[str]) -> Decision:
    questions = _keep_golden(connection, recipe, golden)
    row = connection.execute(
        query("curate_content"), {"golden": golden_recipe(recipe), "questions": questions}
    ).fetchone()
    assert row is not None
    content_sha256, examples, tokens, *counts = row
    sources = connection.execute(query("curate_sources")).fetchall()
    falls = connection.execute(query("curate_funnel")).fetchall()
    return Decision(
        content_sha256=content_sha256,
        examples=examples,
        tokens=tokens,
        splits=dict(zip(SPLITS, counts, strict=True)),
        golden=tuple(questions),
        sources=tuple(Fall("source", *source) for source in sources),
        funnel=tuple(Fall(*fall) for fall in falls),
    )


def _keep_golden(connection: Connection, recipe: Recipe, golden: Sequence[str]) -> list[bytes]:
    """Keep the golden questions as examples, which never train; the hashes of their bodies."""
    bodies = {hashlib.sha256(_asked(question).encode()).digest(): question for question in golden}
    name = golden_recipe(recipe)
    known = connection.execute(
        "select sha256 from openbook.examples"
        " where conversation_id is null and recipe = %s and sha256 = any (%s)",
        [name, list(bodies)],
    ).fetchall()
    missing = [bodies[one] for one in bodies.keys() - {bytes(row[0]) for row in known}]
    if missing:
        plain = Recipe("sft", (), recipe.model)
        drafts = [Draft(0, b"", json.loads(_asked(question)), ()) for question in missing]
        store_examples(connection, plain, make_examples(drafts, plain), golden=name)
    return sorted(bodies)


def _asked(question: str) -> str:
    return json.dumps(
        {"messages": [{"role": "user", "content": question}]},
        ensure_ascii=False,
        separators=(",", ":"),
    )
