"""A version's card: what it holds, how it came about, and its histograms as pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _BAR, _LABEL = 640, 22, 250
_INK, _FILL, _LOST = "#1f2937", "#2563eb", "#cbd5e1"


def card(version: Mapping[str, Any]) -> str:
    """Markdown of a version as `versions.describe` gives it; pictures are SVG in data addresses."""
    splits = version["splits"]
    price = "unknown" if version["usd"] is None else f"${version['usd']:,.2f}"
    counted = "" if version["tokens_exact"] else " (an estimate)"
    lines = [
        f"# {version['dataset']}, version {version['version']}",
        "",
        "| | |",
        "|---|---|",
        f"| kind | {version['kind']} |",
        f"| content | `{version['content_sha256']}` |",
        *(f"| {name} | {splits.get(name, 0):,} examples |"
          for name in ("train", "validation", "test", "golden")),
        f"| training tokens | {version['tokens']:,} by {version['tokenizer']}{counted} |",
        f"| price for {version['model']}, {version['epochs']} epochs | {price} |",
    ]  # fmt: skip
    if version["tainted_at"] is not None:
        lines.append(
            f"| **tainted** | {version['forgotten_examples']:,} examples were forgotten since |"
        )
    lines += ["", "## Funnel", "", _picture("funnel", _funnel(version["funnel"])), ""]
    lines += ["| step | reason | examples |", "|---|---|---|"]
    lines += [
        f"| {one['step']} | {_cell(one['reason'])} | {one['examples']:,} |"
        for one in version["funnel"]
    ]
    for heading, name, label in (
        ("Tokens an example", "tokens", lambda key: f"up to {2 ** int(key):,}"),
        ("Answers an example", "turns", lambda key: f"{key}{'+' if key == '20' else ''}"),
        ("Languages", "languages", str),
        ("Personal data replaced", "personal", str),
    ):
        counts = version["statistics"].get(name) or {}
        if counts:
            ordered = sorted(
                counts.items(),
                key=(lambda one: int(one[0])) if name in ("tokens", "turns") else lambda o: -o[1],
            )
            bars = [(label(key), value) for key, value in ordered]
            lines += ["", f"## {heading}", "", _picture(heading, _bars(bars))]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _picture(title: str, svg: str) -> str:
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _funnel(steps: Sequence[Mapping[str, Any]]) -> str:
    """What is left after each step, and beside it what fell there."""
    left = sum(one["examples"] for one in steps if one["step"] == "source")
    rows = [("looked at", left, 0)]
    falls = [one for one in steps if one["step"] not in ("source", "kept", "golden")]
    for step in dict.fromkeys(one["step"] for one in falls):
        fell = sum(one["examples"] for one in falls if one["step"] == step)
        left -= fell
        rows.append((f"after {step}", left, fell))
    most = max([held + fell for _, held, fell in rows], default=1) or 1
    body = ""
    for place, (label, held, fell) in enumerate(rows):
        text = f"{held:,}" + (f"  (-{fell:,})" if fell else "")
        body += _bar(place, label, (held, fell), most, text)
    return _svg(body, len(rows))


def _bars(values: Sequence[tuple[str, int]]) -> str:
    most = max((value for _, value in values), default=1) or 1
    return _svg(
        "".join(
            _bar(place, label, (value, 0), most, f"{value:,}")
            for place, (label, value) in enumerate(values)
        ),
        len(values),
    )


def _bar(place: int, label: str, values: tuple[int, int], most: int, text: str) -> str:
    value, lost = values
    room = _WIDTH - _LABEL - 110
    top = place * _BAR
    width, rest = round(room * value / most), round(room * lost / most)
    return (
        f'<text x="{_LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{_LABEL}" y="{top + 4}" width="{width}" height="14" fill="{_FILL}"/>'
        f'<rect x="{_LABEL + width}" y="{top + 4}" width="{rest}" height="14" fill="{_LOST}"/>'
        f'<text x="{_LABEL + width + rest + 6}" y="{top + 15}">{escape(text)}</text>'
    )


def _svg(body: str, rows: int) -> str:
    height = rows * _BAR + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{body}</svg>'
    )
