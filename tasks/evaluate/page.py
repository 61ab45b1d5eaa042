"""An evaluation as a page: a plot of the modes with their intervals, and the figures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from tasks.evaluate.measures import MEASURES
from tasks.evaluate.results import Evaluation

_LEFT, _WIDTH, _ROW, _TOP = 150, 460, 26, 30


def markdown(made: Evaluation) -> str:
    """The evaluation as Markdown, with its plot as an embedded SVG image."""
    image = base64.b64encode(plot(made).encode()).decode()
    head = f"{len(made.exam.questions):,} questions, {made.model}, reranker {made.reranker}"
    return "\n".join(
        [
            f"# {made.exam.name}",
            "",
            head,
            "",
            f"![nDCG@10 of each mode](data:image/svg+xml;base64,{image})",
            "",
            *_table(made),
            "",
            *_differences(made),
        ]
    )


def plot(made: Evaluation) -> str:
    """SVG: a row a mode, its nDCG@10 as a point on a line from 0 to 1, and its 95 % interval."""
    height = _TOP + _ROW * len(made.modes) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 70}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for tick in range(0, 11, 2):
        x = _LEFT + _WIDTH * tick / 10
        parts.append(
            f'<text x="{x}" y="16" text-anchor="middle" fill="#666">{tick / 10:.1f}</text>'
        )
        parts.append(f'<path d="M{x} 22V{height - 6}" stroke="#ddd"/>')
    for row, (mode, figures) in enumerate(made.modes.items()):
        y = _TOP + _ROW * row + _ROW / 2
        value = figures.means["ndcg@10"]
        low, high = (_LEFT + _WIDTH * end for end in figures.intervals["ndcg@10"])
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(mode)}</text>')
        parts.append(f'<path d="M{low} {y}H{high}" stroke="#27c" stroke-width="3"/>')
        parts.append(f'<circle cx="{_LEFT + _WIDTH * value}" cy="{y}" r="5" fill="#15a"/>')
        parts.append(f'<text x="{_LEFT + _WIDTH + 12}" y="{y + 4}">{value:.3f}</text>')
    return "".join([*parts, "</svg>"])


def _table(made: Evaluation) -> Iterator[str]:
    yield "| mode | " + " | ".join(MEASURES) + " | p50 ms | p95 ms |"
    yield "|---" * (len(MEASURES) + 3) + "|"
    for mode, one in made.modes.items():
        cells = [
            f"{one.means[name]:.3f} [{one.intervals[name][0]:.3f}, {one.intervals[name][1]:.3f}]"
            for name in MEASURES
        ]
        yield " | ".join([f"| {mode}", *cells, f"{one.p50_ms:.1f}", f"{one.p95_ms:.1f} |"])


def _differences(made: Evaluation) -> Iterator[str]:
    yield "| nDCG@10 | difference | p |"
    yield "|---|---|---|"
    for one in made.comparisons:
        low, high = one.interval
        yield (
            f"| {one.mode} against {one.other} "
            f"| {one.difference:+.3f} [{low:+.3f}, {high:+.3f}] | {one.p:.4f} |"
        )
