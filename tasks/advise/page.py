"""The advice as a page of Markdown, with its costs and failures as pictures.

It counts and quotes nothing: pages are kept where `forget` does not reach.
"""

from __future__ import annotations

import base64
import math
import re

from tasks.advise.advise import Advice
from tasks.advise.costs import costs
from tasks.advise.criteria import Criterion
from tasks.advise.failures import KINDS
from tasks.advise.figures import Figure

_COLOURS = {
    "prompt": "#64748b", "long-context": "#d97706", "rag": "#2563eb", "fine-tuning": "#db2777",
    "rag + fine-tuning": "#059669",
}  # fmt: skip
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 300, 70, 40
_DECADES = 6


def markdown(advice: Advice) -> str:
    """The whole report; pictures are SVG in data addresses."""
    lines = ["# Which half do you need?", "", *_verdict(advice), "", "## Criteria", ""]
    lines += ["| | figure | threshold | points to | source |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.says} | {figure(one)} | {limit(one)} | {_points(one)} | {one.source} |"
        for one in advice.criteria
    ]
    if advice.evidence.failures:
        lines += ["", "## What fails", "", _picture("failures", _failures(advice)), ""]
        lines += [
            f"- **{kind}** ({count:,}): {KINDS[kind].says}" for kind, count, _ in advice.failures()
        ]
        lines += ["", "| could be mended by | share of the failures whose kind is known |",
                  "|---|---|"]  # fmt: skip
        lines += [f"| {way} | {measured(one)} |" for way, one in advice.mended.items()]
    lines += _experiments(advice)
    lines += ["", "## Latency", "", "| half | median |", "|---|---|"]
    lines += [f"| {half} | {measured(one)} |" for half, one in advice.latency.items()]
    lines += ["", "## Costs", "", _picture("costs a year by volume", _curves(advice)), ""]
    lines += ["| strategy | tokens a question | $ per 1,000 | $ a year |", "|---|---|---|---|"]
    lines += [
        f"| {one.strategy} | {one.input_tokens:,.0f} + {one.output_tokens:,.0f}"
        f" | {dollars(one.asking(1_000), 2)} | {dollars(one.usd_a_year)} |"
        for one in advice.costs.values()
    ]
    lines += [
        f"- from {one.queries_per_day:,.0f} questions a day on, {one.cheaper} is cheaper than"
        f" {one.other}"
        for one in advice.break_evens
    ]
    lines += ["", "| assumption | value | from |", "|---|---|---|"]
    lines += [
        f"| {one.meaning} (`{name}`) | {number(one.value)} | {one.origin} |"
        for name, one in advice.assumed.items()
    ]
    return "\n".join(lines) + "\n"


def figure(one: Criterion) -> str:
    """A criterion's figure with its interval, or what measures it."""
    return measured(one.figure)


def measured(found: Figure) -> str:
    """A figure with its interval, or what measures it."""
    if found.value is None:
        return f"not known: `{found.command}`"
    text = number(found.value) + f" {found.unit}"
    if found.low is not None and found.high is not None:
        text += f" ({number(found.low)} to {number(found.high)})"
    return text + (f", n = {found.n:,}" if found.n else "")


def limit(one: Criterion) -> str:
    """A criterion's threshold in words."""
    return f"{one.relation} {number(one.threshold)}"


def price(usd: float | None) -> str:
    """What something costs once, with cents."""
    return f"price {dollars(usd)}" if usd is None else f"${dollars(usd, 2)}"


def dollars(usd: float | None, digits: int = 0) -> str:
    """An amount with so many digits behind the point, or that it is not known."""
    return "not known" if usd is None else f"{usd:,.{digits}f}"


def number(value: float | None) -> str:
    """Three digits that count, thousands separated; or that it is not known."""
    if value is None:
        return "not known"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _points(one: Criterion) -> str:
    return "?" if one.holds is None else one.then if one.holds else one.otherwise


def _verdict(advice: Advice) -> list[str]:
    decision = advice.decision
    if decision is None:
        lines = ["There is nothing to judge by yet. Each of these would measure something:", ""]
        return [*lines, *dict.fromkeys(f"- `{one.figure.command}`" for one in advice.missing)]
    lines = [
        f"**{decision.strategy}**, confidence {advice.confidence}: {decision.certainty:.0%} of"
        " 1,000 worlds that the figures allow say the same.",
    ]
    if decision.overruled:
        lines += ["", f"The criteria alone say {decision.tree}; {decision.overruled}."]
    if advice.evidence.of_nowhere:
        lines += ["", f"{advice.evidence.of_nowhere}."]
    lines += ["", "Next:", ""]
    lines += [
        f"{place}. {one.do}: `{one.command}` ({price(one.usd)}, {one.hours:g} h). {one.why}."
        for place, one in enumerate(advice.actions, 1)
    ]
    lines += ["", "What would change it:", ""]
    lines += [
        f"- {'if' if one.if_it_holds else 'unless'} {one.criterion.says}"
        f" ({figure(one.criterion)}; {limit(one.criterion)}): {one.to}"
        for one in decision.flips
    ] or ["- no single criterion"]
    return lines


def _experiments(advice: Advice) -> list[str]:
    found = advice.evidence.experiments
    if not found.correct:
        return []
    lines = ["", f"## Measured on {_plain(found.golden_set or '')}", ""]
    lines += ["| condition | model | correct | questions |", "|---|---|---|---|"]
    return lines + [
        f"| {name} | {_plain(found.models[name])} | {sum(values.values()) / len(values):.3f}"
        f" | {len(values):,} |"
        for name, values in found.correct.items()
    ]


def _plain(text: str) -> str:
    """A name as it is written, whatever it means in Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#!|<>~&])", r"\\\1", " ".join(text.split()))


def _picture(title: str, svg: str) -> str:
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _svg(height: int, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#1f2937">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{body}</svg>'
    )


def _failures(advice: Advice) -> str:
    rows = advice.failures()
    most = max(count for _, count, _ in rows)
    body = ""
    for place, (kind, count, _) in enumerate(rows):
        top = 22 * place
        half = KINDS[kind].half or "unclear"
        colour = {"knowledge": _COLOURS["rag"], "behaviour": _COLOURS["fine-tuning"]}.get(half)
        body += (
            f'<text x="140" y="{top + 15}" text-anchor="end">{kind}</text>'
            f'<rect x="150" y="{top + 4}" width="{round(420 * count / most)}" height="14" '
            f'fill="{colour or _COLOURS["prompt"]}"/>'
            f'<text x="{156 + round(420 * count / most)}" y="{top + 15}">{count:,} ({half})</text>'
        )
    return _svg(22 * len(rows) + 4, body)


def _curves(advice: Advice) -> str:
    """Dollars a year by questions a day, both on logarithmic scales; none where not known."""
    volumes = [10 ** (place / 4) for place in range(4 * _DECADES + 1)]
    corpus = advice.evidence.figures["corpus_tokens"].value or 0.0
    found = [costs(corpus, advice.assumed, volume) for volume in volumes]
    yearly = {
        name: [max(0.01, one[name].usd_a_year or 0.0) for one in found]
        for name, cost in advice.costs.items()
        if cost.usd_a_year is not None
    }
    low = math.floor(math.log10(min(min(values) for values in yearly.values())))
    high = math.ceil(math.log10(max(max(values) for values in yearly.values()))) or 1
    high = max(high, low + 1)

    def x(volume: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 150) * math.log10(volume) / _DECADES

    def y(usd: float) -> float:
        return 10 + (_HEIGHT - _BOTTOM - 10) * (high - math.log10(usd)) / (high - low)

    body = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - 150}" y1="{y(10.0**e):.1f}" y2="{y(10.0**e):.1f}" '
        f'stroke="#e5e7eb"/><text x="{_LEFT - 6}" y="{y(10.0**e) + 4:.1f}" text-anchor="end">'
        f"${10.0**e:,g}</text>"
        for e in range(low, high + 1)
    )
    body += "".join(
        f'<text x="{x(10.0**e):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{10**e:,}</text>'
        for e in range(_DECADES + 1)
    )
    body += f'<text x="{_LEFT}" y="{_HEIGHT - 4}">questions a day</text>'
    for place, (name, values) in enumerate(yearly.items()):
        points = " ".join(
            f"{x(v):.1f},{y(usd):.1f}" for v, usd in zip(volumes, values, strict=True)
        )
        body += (
            f'<polyline points="{points}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2"/>'
            f'<rect x="{_WIDTH - 140}" y="{14 + 20 * place}" width="12" height="12" '
            f'fill="{_COLOURS[name]}"/><text x="{_WIDTH - 122}" y="{24 + 20 * place}">{name}</text>'
        )
    return _svg(_HEIGHT, body)
