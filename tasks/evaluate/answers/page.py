"""An examination as a page: figures, the two halves, the comparison, and what failed."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.evaluate.answers.figures import Figure
from tasks.evaluate.answers.report import Item, Report

RETRIEVAL = ("retrieval_recall", "context_recall")
"""The measures that search answers for; the others are the model's."""

_SHOWN = 30
_LONGEST = 400


def markdown(made: Report) -> str:
    """The report as Markdown."""
    row = made.examination
    judged = [(name, one) for name, one in made.figures.items() if name not in RETRIEVAL]
    found = [(name, one) for name, one in made.figures.items() if name in RETRIEVAL]
    return "\n".join(
        [
            f"# {row['name']}: {row['model']}",
            "",
            f"{len(made.items):,} questions, strategy {row['strategy']}, examination {row['id']}"
            + ("" if row["finished_at"] else ", **not ended**"),
            "",
            *(["## What search found", "", *_figures(found)] if found else []),
            "## What the model made of it",
            "",
            *_figures(judged),
            *_halves(made),
            *_comparison(made),
            *_failures("Failures", made.failures),
            *_failures("Not answered yet", made.unanswered),
        ]
    )


def _figures(found: list[tuple[str, Figure]]) -> Iterator[str]:
    yield "| measure | mean | 95 % interval | items |"
    yield "|---|---|---|---|"
    for name, one in found:
        low, high = one.interval
        yield f"| {name} | {one.value:.3f} | {low:.3f} to {high:.3f} | {one.items:,} |"
    yield ""


def _halves(made: Report) -> Iterator[str]:
    if not any(made.halves.values()):
        return
    counts = made.halves
    yield "| an expected document was | answer right | answer wrong |"
    yield "|---|---|---|"
    for state in ("shown", "not shown"):
        yield f"| {state} | {counts[f'{state}, right']:,} | {counts[f'{state}, wrong']:,} |"
    yield ""
    yield made.advice
    yield ""


def _comparison(made: Report) -> Iterator[str]:
    if made.against is None:
        return
    other = made.against
    yield f"## Against examination {other['id']}: {other['model']}, {other['strategy']}"
    yield ""
    yield "| measure | difference | 95 % interval | p | items | higher | lower |"
    yield "|---|---|---|---|---|---|---|"
    for name, one in (made.differences or {}).items():
        low, high = one.interval
        yield (
            f"| {name} | {one.value:+.3f} | {low:+.3f} to {high:+.3f} | {one.p:.4f} "
            f"| {one.items:,} | {one.better:,} | {one.worse:,} |"
        )
    yield ""
    if judged := made.preference:
        low, high = judged["interval"]
        yield (
            f"{judged['judge']}, shown both answers in both orders, prefers these: "
            f"{judged['value']:.3f} ({low:.3f} to {high:.3f}): {judged['win']:,} wins, "
            f"{judged['tie']:,} ties, {judged['loss']:,} losses."
        )
        yield ""


def _failures(title: str, items: list[Item]) -> Iterator[str]:
    if not items:
        return
    yield f"## {title}"
    yield ""
    yield "| question | answer | what failed | half |"
    yield "|---|---|---|---|"
    for item in items[:_SHOWN]:
        cells = (
            item.question,
            item.answer or "",
            item.missing or item.reason or "",
            item.half or "",
        )
        yield "| " + " | ".join(map(_cell, cells)) + " |"
    if len(items) > _SHOWN:
        yield ""
        yield f"… and {len(items) - _SHOWN:,} more."
    yield ""


def _cell(text: str) -> str:
    """Text within a table, where a line break or a bar would end the cell."""
    short = " ".join(text.split())
    short = short if len(short) <= _LONGEST else short[:_LONGEST] + " …"
    return short.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
