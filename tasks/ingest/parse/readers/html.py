"""HTML by libxml2's event parser, which has no limit on depth and loses no text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.ingest.parse.elements import TEXT_LIMIT, Elements, clean
from tasks.ingest.parse.encoding import as_text, read_bytes
from tasks.ingest.parse.readers.html_table import NESTED_TABLES, Block, HtmlTable
from tasks.ingest.parse.readers.plain import add_plain
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LINE_BREAK = "\u2028"
_BLOCKS = _words(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu"
    " nav ol optgroup option p pre section summary table tbody td tfoot th thead tr ul"
)
_UNSEEN = _words(
    "script style template noscript iframe object svg annotation annotation-xml ix:header"
)
_HEADINGS = {f"h{depth}": depth for depth in range(1, 7)}
_LIST_ITEMS = frozenset(("li", "dd"))
_GUTTER = re.compile(r"\b(?:linenos?|line-numbers?|gutter)\b")
_PERMALINK = re.compile(r"\s*[¶§#🔗]\s*$")
_ALT_WORDS = 3
_PLAIN_PRE_CHARACTERS = 2000
_DECLARED_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*[\"']?([\w-]+)", re.I
)
_XHTML = re.compile(r"\s*(?:<\?xml|<!DOCTYPE[^>]*XHTML|<html[^>]*xmlns)", re.IGNORECASE)
_SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]*)"
    r"((?:\s[^<>]*)?)/>"
)
_META = {
    "author": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "date",
    "article:published_time": "date",
}


def read_html(path: Path) -> Document:
    """The blocks that a reader sees; navigation is left out where there is other text."""
    data = read_bytes(path, 4 * TEXT_LIMIT)
    declared = _DECLARED_CHARSET.search(data[:4096])
    source = as_text(data, declared.group(1).decode() if declared else None)
    elements = Elements()
    page = add_html(elements, source)
    return elements.document("html", page.title(), page.metadata)


def add_html(elements: Elements, source: str) -> HtmlPage:
    """Append the blocks of HTML source; the answer knows the page's title and metadata."""
    page = _parse(elements, source, navigation=False)
    if not page.written:
        page = _parse(elements, source, navigation=True)
    return page


def _parse(elements: Elements, source: str, navigation: bool) -> HtmlPage:
    from lxml import etree

    if _XHTML.match(source):
        source = _SELF_CLOSED.sub(r"<\1\2></\1>", source)
    if source.rfind("<!--") > source.rfind("-->"):  # never closed: it would swallow the rest
        source = "".join(source.rsplit("<!--", 1))
    page = HtmlPage(elements, navigation)
    parser = etree.HTMLParser(target=page, huge_tree=True, encoding="utf-8")
    try:
        parser.feed(clean(source).encode())
        parser.close()
    except etree.LxmlError as error:
        raise Rejected(f"It is no HTML that can be read: {error}", "Save it again.") from None
    page.finish()
    return page


class HtmlPage:
    """The parser's event target: collects inline text and writes it out at block boundaries."""

    def __init__(self, elements: Elements, navigation: bool) -> None:
        self.metadata: dict[str, Any] = {}
        self.written = False
        self._elements = elements
        self._navigation = navigation
        self._inline: list[str] = []
        self._tables: list[HtmlTable] = []
        self._terms: list[str] = []
        self._title: list[str] = []
        self._first_heading: str | None = None
        self._unseen = 0
        self._pre = self._code = self._items = self._heading = 0
        self._in_title = self._in_term = self._in_caption = False

    def title(self) -> str | None:
        """The page's title; its first heading instead where the title only adds the site's name."""
        title = " ".join("".join(self._title).split())
        heading = self._first_heading
        return heading if heading and heading in title else title or heading

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._unseen:
            self._unseen += 1
        elif tag in _UNSEEN or self._is_skipped(tag, attributes):
            self._unseen = 1
        elif tag in _BLOCKS:
            self._boundary()
            self._open(tag, attributes)
        elif tag == "br":
            self._inline.append("\n" if self._pre else _LINE_BREAK)
        elif tag == "img":
            self._image(attributes.get("alt", ""))
        elif tag == "code":
            self._code += 1
        elif tag == "title":
            self._in_title = not self._title
        elif tag == "meta":
            self._meta(attributes)

    def end(self, tag: str) -> None:
        if self._unseen:
            self._unseen -= 1
        elif tag in _BLOCKS:
            self._boundary(closed=tag)
            self._close(tag)
        elif tag == "title":
            self._in_title = False

    def data(self, text: str) -> None:
        if not self._unseen:
            (self._title if self._in_title else self._inline).append(text)

    def close(self) -> None:
        """Called by the parser at the end of its input."""

    def finish(self) -> None:
        """Write what is still open: text behind the last tag, tables that never closed."""
        self._boundary()
        self._flush_terms()
        while self._tables:
            self._close_table()

    def _is_skipped(self, tag: str, attributes: Mapping[str, str]) -> bool:
        if tag == "nav" or attributes.get("role") == "navigation":
            return not self._navigation
        return _GUTTER.search(attributes.get("class", "")) is not None and tag in ("td", "span")

    def _open(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _HEADINGS:
            self._heading = _HEADINGS[tag]
        elif tag in _LIST_ITEMS:
            self._items += 1
        elif tag == "pre":
            self._pre += 1
            self._code = 0
        elif tag == "dt":
            self._in_term = True
        elif tag in ("figcaption", "caption"):
            self._in_caption = True
        elif tag == "table" and len(self._tables) < NESTED_TABLES:
            self._flush_terms()
            self._tables.append(HtmlTable(attributes.get("role", "")))
        elif tag == "tr" and self._tables:
            self._tables[-1].rows.append([])
        elif tag in ("td", "th") and self._tables:
            self._tables[-1].open_cell(tag == "th", attributes)
        elif tag == "html" and attributes.get("lang"):
            self.metadata["language"] = attributes["lang"]

    def _close(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading = 0
        elif tag in _LIST_ITEMS:
            self._items = max(self._items - 1, 0)
        elif tag == "pre":
            self._pre = max(self._pre - 1, 0)
        elif tag == "dt":
            self._in_term = False
        elif tag == "dl":
            self._flush_terms()
        elif tag in ("figcaption", "caption"):
            self._in_caption = False
        elif tag in ("td", "th") and self._tables:
            self._tables[-1].close_cell()
        elif tag == "table" and self._tables:
            self._close_table()

    def _boundary(self, closed: str = "") -> None:
        """A block begins or ends: what was collected before it is one block of text."""
        if self._pre and closed != "pre":
            if self._inline and not self._inline[-1].endswith("\n"):
                self._inline.append("\n")
            return
        if not self._inline:
            return
        text = "".join(self._inline)
        self._inline.clear()
        if self._pre:
            self._write(
                "code" if self._code or len(text) < _PLAIN_PRE_CHARACTERS else "plain", text
            )
            return
        lines = text.split(_LINE_BREAK)
        text = "\n".join(filter(None, (" ".join(line.split()) for line in lines)))
        if text:
            self._take(text)

    def _take(self, text: str) -> None:
        if self._heading:
            self._write("heading", _PERMALINK.sub("", text))
        elif self._in_term:
            self._terms.append(text)
        elif self._items:
            terms = ", ".join(self._terms)
            self._terms.clear()
            self._write("item", f"{terms}: {text}" if terms else text)
        else:
            self._write("caption" if self._in_caption else "paragraph", text)

    def _write(self, kind: str, text: str) -> None:
        if kind != "item":
            self._flush_terms()
        block = (kind, text, self._heading)
        if self._tables and self._tables[-1].cell is not None:
            self._tables[-1].cell.blocks.append(block)
        else:
            self._write_block(block)

    def _flush_terms(self) -> None:
        if self._terms:
            terms = ", ".join(self._terms)
            self._terms.clear()
            self._write("paragraph", terms)

    def _write_block(self, block: Block) -> None:
        kind, text, depth = block
        self.written = True
        if kind == "heading":
            self._elements.heading(text, depth)
            if depth == 1 and self._first_heading is None:
                self._first_heading = " ".join(text.split())
        elif kind == "code":
            self._elements.code(text)
        elif kind == "plain":
            add_plain(self._elements, text)
        elif kind == "item":
            self._elements.item(text)
        else:
            self._elements.paragraph(text, "FigureCaption" if kind == "caption" else None)

    def _close_table(self) -> None:
        table = self._tables.pop()
        if self._tables and self._tables[-1].cell is not None:
            self._tables[-1].cell.blocks.append(table)
        else:
            self._write_table(table)

    def _write_table(self, table: HtmlTable) -> None:
        if table.is_data():
            self.written = True
            add_rows(self._elements, table.grid(), table.header_rows())
            return
        for cell in (cell for row in table.rows for cell in row):
            for block in cell.blocks:
                if isinstance(block, HtmlTable):
                    self._write_table(block)
                else:
                    self._write_block(block)

    def _image(self, alternative: str) -> None:
        """What an image shows, where its author said more than a word or two."""
        if len(alternative.split()) >= _ALT_WORDS:
            self._inline.append(f" {alternative} ")

    def _meta(self, attributes: Mapping[str, str]) -> None:
        name = (attributes.get("name") or attributes.get("property") or "").lower()
        content = " ".join(attributes.get("content", "").split())
        if name in _META and content:
            self.metadata.setdefault(_META[name], content)
