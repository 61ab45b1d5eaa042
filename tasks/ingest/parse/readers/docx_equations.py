"""Word's equations on one line of text: a/b, x^2, sqrt(y)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def linear(node: Any) -> str:
    """The text of an equation, or of a part of one."""
    kind = node.tag.rpartition("}")[2]
    written = _WRITTEN.get(kind)
    return written(node) if written else "".join(linear(child) for child in node)


def _fraction(node: Any) -> str:
    return f"{_grouped(node, 'num')}/{_grouped(node, 'den')}"


def _root(node: Any) -> str:
    return f"sqrt({_operand(node, 'e')})"


def _scripted(node: Any) -> str:
    return _grouped(node, "e") + _scripts(node)


def _sum_or_integral(node: Any) -> str:
    sign = node.find(f"{_M}naryPr/{_M}chr")
    symbol = "\u222b" if sign is None else sign.get(f"{_M}val", "")
    return f"{symbol}{_scripts(node)} {_operand(node, 'e')}"


def _bracketed(node: Any) -> str:
    return f"({', '.join(linear(part) for part in node.findall(f'{_M}e'))})"


def _scripts(node: Any) -> str:
    below, above = _grouped(node, "sub"), _grouped(node, "sup")
    return f"_{below}" * bool(below) + f"^{above}" * bool(above)


def _grouped(node: Any, name: str) -> str:
    text = _operand(node, name)
    return text if text.isalnum() or not text else f"({text})"


def _operand(node: Any, name: str) -> str:
    return "".join(linear(part) for part in node.findall(f"{_M}{name}"))


_WRITTEN: dict[str, Callable[[Any], str]] = {
    "t": lambda node: node.text or "",
    "f": _fraction,
    "rad": _root,
    "sSup": _scripted,
    "sSub": _scripted,
    "sSubSup": _scripted,
    "nary": _sum_or_integral,
    "d": _bracketed,
}
