"""LaTeX, read as an author reads it: no comments, no layout, formulas as they are written."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.records import Document

_COMMENT = re.compile(r"(?<!\\)%[^\n]*\n?[ \t]*")
_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_TITLE = re.compile(r"\\(?:icml)?title(?:\[[^\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}")
_MACRO = re.compile(r"\\(?:re)?newcommand\*?\{?\\([a-zA-Z]+)\}?\{([\w .-]*)(?:\\xspace)?\}")
_CODE = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted|Verbatim)\}(.*?)(?:\\end\{\1\}|\Z)", re.DOTALL
)
_HEADING = re.compile(
    r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?(?:\[[^\]]*\])?"
    r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
)
_DEPTH = {
    "part": 1,
    "chapter": 1,
    "section": 1,
    "subsection": 2,
    "subsubsection": 3,
    "paragraph": 4,
}
_ITEM = re.compile(r"\\item(?![a-z])")
_DROPPED = re.compile(
    r"\\(?:label|cite[a-z]*|[a-zA-Z]*ref|pageref|v?space|hspace|includegraphics|bibliography(?:style)?"
    r"|usepackage|documentclass|input|include|newcommand|renewcommand|thispagestyle|pagestyle"
    r"|setlength|footnotemark|bibitem|index|thanks|affiliation|markboth|hypersetup)"
    r"\*?(?:\[[^\]]{0,300}\])*(?:\{[^{}]{0,2000}\})*"
)
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\{[^}]{0,60}\}(?:\[[^\]]{0,300}\])?(?:\{[^{}]{0,300}\})*"
)
_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|tt|sc|rm|sf)?|emph|underline|mbox|url|footnote|caption|title|author|textcolor\{\w+\}"
    r"|href\{[^{}]*\}|multicolumn\{\d+\}\{[^{}]*\})(?:\[[^\]]{0,300}\])?\{([^{}]*)\}"
)
_SWITCH = re.compile(
    r"\\(?:maketitle|centering|noindent|small|large|Large|footnotesize|scriptsize|normalsize|bf|it|em|tt"
    r"|hline|toprule|midrule|bottomrule|newpage|clearpage|bigskip|medskip|smallskip|par|item|appendix"
    r"|raggedright|tableofcontents|and|quad|qquad|left|right)(?![a-zA-Z])"
)
_PLAIN = {
    "~": " ",
    "``": "“",
    "''": "”",
    r"\&": "&",
    r"\%": "%",
    r"\_": "_",
    r"\#": "#",
    r"\$": "$",
    r"\\": "\n",
}


def read_tex(path: Path) -> Document:
    """Sections, paragraphs, items and listings; a file of definitions alone is code."""
    source = _with_macros(read_text(path))
    elements = Elements()
    body = _BODY.search(source)
    position = 0
    text = body.group(1) if body else source
    for code in _CODE.finditer(text):
        _add_prose(elements, text[position : code.start()])
        elements.code(code.group(2))
        position = code.end()
    _add_prose(elements, text[position:])
    if not len(elements):
        elements.code(source)
    title = _TITLE.search(_COMMENT.sub("", source))
    return elements.document("tex", _plain(title.group(1)) if title else None)


def _with_macros(source: str) -> str:
    """The source with its own abbreviations for words written out."""
    words = {
        name: text for name, text in _MACRO.findall(_COMMENT.sub("", source)) if "#" not in text
    }
    used = re.compile(r"\\([a-zA-Z]+)(?:\{\}|(?![a-zA-Z{]))")
    return used.sub(lambda use: words.get(use.group(1), use.group()), source) if words else source


def _add_prose(elements: Elements, text: str) -> None:
    text = _COMMENT.sub("", text)
    position = 0
    for heading in _HEADING.finditer(text):
        _add_paragraphs(elements, text[position : heading.start()])
        elements.heading(_plain(heading.group(2)), _DEPTH[heading.group(1)])
        position = heading.end()
    _add_paragraphs(elements, text[position:])


def _add_paragraphs(elements: Elements, text: str) -> None:
    for block in re.split(r"\n[ \t]*\n", text):
        first, *items = _ITEM.split(block)
        elements.paragraph(_plain(first))
        for item in items:
            elements.item(_plain(item))


def _plain(text: str) -> str:
    """The text without the commands that only lay it out; formulas keep theirs."""
    text = _DROPPED.sub("", text)
    text = _ENVIRONMENT.sub(" ", text)
    for _ in range(4):  # commands nest a few levels deep
        text, count = _WRAPPER.subn(r"\1", text)
        if not count:
            break
    text = _SWITCH.sub(" ", text)
    for written, meant in _PLAIN.items():
        text = text.replace(written, meant)
    return " ".join(text.split())
