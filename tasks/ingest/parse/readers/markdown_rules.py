"""markdown-it's CommonMark parser with tables, spared what most of a text does not need.

Plain paragraphs are told by how their lines begin, and inline source of words, code, tags, links
and bold words alone is read by one regular expression. All else is left to markdown-it.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.common.html_re import HTML_TAG_RE

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

NESTING_LIMIT = 60
"""The parser drops what is nested deeper."""

_LABEL = re.compile(
    r"\b(?:title|label|name|header|summary|description|alt)=(?:\"([^\"]+)\"|'([^']+)')"
)
_HTML_BREAK = re.compile(r"<br\b", re.IGNORECASE)

_MARKS = r"\n!&*<\[\\\]_`~"
"""What inline markup begins with; markdown-it stops at whatever its plugins might ask for, too."""
_PARAGRAPH_LINE = re.compile(r"[^\W\d_]|`(?!``)|\*\*\w")
"""How a line begins that opens nothing but a paragraph, and carries on one that is open."""
_SIMPLE = re.compile(
    rf"(?P<text>[^{_MARKS}]+|(?<=[^\W_])_(?=[^\W_]))|(?P<break>(?<!  )\n[ \t]*)"
    rf"|(?P<ticks>`+)(?P<code>[^`]+)(?P=ticks)(?!`)|(?P<tag>{HTML_TAG_RE.pattern})"
    rf"|\*\*(?=\w)(?P<bold>[^{_MARKS}]+)(?:(?<=\w)|(?<=[:.,)])(?=\*\*(?:\s|\Z)))\*\*(?!\*)"
    rf"|\[(?P<link>[^{_MARKS}]+)\]\((?:https?:/)?[/#.\w][^\s()<>&`\\:]*\)"
)


def parse_blocks(source: str, mdx: bool) -> tuple[list[Token], MutableMapping[str, Any]]:
    """The block tokens of Markdown source, and the links that are defined in it.

    The `content` of an inline token is its source, for `inline_text`.
    """
    definitions: MutableMapping[str, Any] = {}
    return _parser(mdx).parse(source, definitions), definitions


def inline_text(source: str, definitions: MutableMapping[str, Any]) -> str:
    """The text of inline source, as a browser would show it but for runs of white space."""
    text = _simple_text(source)
    if text is None:
        parser = _parser(mdx=False)
        text = _text(parser.inline.parse(source, parser, definitions, []))
    return text


def labels(tag: str) -> str:
    """The readable attributes of a component's tag."""
    return ". ".join(double or single for double, single in _LABEL.findall(tag))


@cache
def _parser(mdx: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": NESTING_LIMIT})
    parser.enable(["table", "strikethrough"])
    parser.disable(["inline", "text_join", *(["code"] if mdx else [])])
    parser.block.ruler.before("table", "plain paragraph", _plain_paragraph)
    parser.inline.terminator_re = re.compile(f"[{_MARKS}]")
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]  # none is followed
    return parser


def _plain_paragraph(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    """A rule for markdown-it: a paragraph that can be nothing else, without trying all the others.

    It ends at an empty line or, in a list, at what is less indented and certainly no text.
    """
    if state.is_code_block(start):
        return False
    line = start
    while line < state.lineMax and not state.isEmpty(line):
        if not _PARAGRAPH_LINE.match(state.src, state.bMarks[line] + state.tShift[line]):
            if line == start or not 0 <= state.sCount[line] < state.blkIndent:
                return False
            others = state.md.block.ruler.getRules("paragraph")
            if not any(rule(state, line, end, True) for rule in others):
                return False
            break
        line += 1
    state.line = line
    state.push("paragraph_open", "p", 1)
    token = state.push("inline", "", 0)
    token.content = state.getLines(start, line, state.blkIndent, False).strip()
    state.push("paragraph_close", "p", -1)
    return True


def _simple_text(source: str) -> str | None:
    """The text of source of nothing but plain words, code, tags, bold words and links; else None.

    Code and tags bind before all else, so that reading from left to right is what CommonMark says.
    """
    parts = []
    at = 0
    while at < len(source):
        match = _SIMPLE.match(source, at)
        if match is None:
            return None
        kind = match.lastgroup
        part = match[kind or 0]
        if kind == "break":
            part = " "
        elif kind == "tag":
            part = _tag_text(part)
        elif kind == "code":
            part = _code_text(part)
        parts.append(part)
        at = match.end()
    return "".join(parts)


def _code_text(code: str) -> str:
    """A code span's text: one space on either side belongs to the marks."""
    code = code.replace("\n", " ")
    return code[1:-1] if code[0] == code[-1] == " " and code.strip(" ") else code


def _tag_text(tag: str) -> str:
    return "\n" if _HTML_BREAK.match(tag) else labels(tag)


def _text(tokens: Sequence[Token]) -> str:
    parts = []
    for token in tokens:
        if token.type == "softbreak":
            parts.append(" ")
        elif token.type == "hardbreak":
            parts.append("\n")
        elif token.type == "html_inline":
            parts.append(_tag_text(token.content))
        elif token.content:
            parts.append(token.content)
    return "".join(parts)
