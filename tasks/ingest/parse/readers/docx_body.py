"""Rewrites a Word document's body so that its text stands where paragraphs are looked for.

Word keeps text in text boxes, content controls, tracked insertions, footnotes and equations,
outside the runs of plain paragraphs; and documents mark headings and code by styles of their own
naming. This module moves all of it into plain paragraphs with Word's own heading styles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from tasks.ingest.parse.readers.docx_equations import linear

STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
"""The namespaces of ISO's strict format, and of the format that everyone reads."""

CODE_MARK = "\ue000"
"""Stands before the text of a paragraph of code."""

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

_WRAPPERS = (
    f"{_W}ins",
    f"{_W}moveTo",
    f"{_W}smartTag",
    f"{_W}customXml",
    f"{_W}fldSimple",
    f"{_W}hyperlink",
    f"{_W}dir",
    f"{_W}bdo",
    f"{_W}sdt",
    f"{_W}sdtContent",
    f"{_MC}AlternateContent",
    f"{_MC}Choice",
)
_PROPERTIES = (f"{_W}smartTagPr", f"{_W}customXmlPr", f"{_W}sdtPr", f"{_W}sdtEndPr")
_DROPPED = (f"{_W}del", f"{_W}moveFrom", f"{_W}lastRenderedPageBreak", f"{_MC}Fallback")
_BUILT_IN_HEADING = re.compile(r"heading [1-9]$")

_HEADING_NAME = re.compile(r"(?:heading|head|überschrift|titre|título|titolo|kop)[ _-]*([1-9a-f])$")
_TITLE_NAME = re.compile(r"(?:chapter|document|book)?[ _-]*title$")
_CODE_NAME = re.compile(
    r"(?!.*(?:caption|label|heading|reference|number|inline|char$)).*"
    r"(?:code|listing|preformatted|verbatim|macro text)"
)
_MONOSPACED = re.compile(r"courier|consolas|menlo|monaco|mono|source code|lucida console", re.I)
_CODE_CHARACTERS = re.compile(r"[=(){}<>;$#\[\]]|^\s{2,}\S")
_STYLE_DEPTH = 20


class Body:
    """One document's body with its styles and notes, and what becomes of them."""

    def __init__(self, root: Any, styles: Any, notes: Iterable[Any]) -> None:
        self._root = root
        self._styles = Styles(styles)
        self._notes = {
            (note.tag.rpartition("}")[2], note.get(f"{_W}id")): _text(note)
            for part in notes
            if part is not None
            for note in part
        }

    def document(self) -> bytes:
        """The rewritten body. To be called once, and before `styles`."""
        self._unwrap()
        self._inline_notes()
        self._write_out_equations()
        self._lift_text_boxes()
        self._name_styles()
        self._join_code()
        self._join_runs()
        return bytes(etree.tostring(self._root))

    def styles(self) -> bytes | None:
        """The style part with the heading styles that `document` refers to; None without one."""
        return self._styles.part()

    def _unwrap(self) -> None:
        """Content controls, insertions and the like give way to what they hold."""
        for dropped in list(self._root.iter(*_DROPPED)):
            _replace(dropped, ())
        for control in list(self._root.iter(f"{_W}sdt")):
            gallery = control.find(f".//{_W}docPartGallery")
            if gallery is not None and gallery.get(f"{_W}val") == "Table of Contents":
                _replace(control, ())
        for wrapper in list(self._root.iter(*_WRAPPERS)):
            if wrapper.getparent() is not None:
                _replace(wrapper, [child for child in wrapper if child.tag not in _PROPERTIES])

    def _inline_notes(self) -> None:
        """A note becomes a paragraph behind the one that refers to it."""
        for reference in list(self._root.iter(f"{_W}footnoteReference", f"{_W}endnoteReference")):
            kind = reference.tag.rpartition("}")[2].removesuffix("Reference")
            text = self._notes.get((kind, reference.get(f"{_W}id")), "")
            paragraph = _ancestor(reference, "p")
            if text and paragraph is not None:
                note = etree.Element(f"{_W}p")
                note.append(_run(text))
                paragraph.addnext(note)

    def _write_out_equations(self) -> None:
        for equation in list(self._root.iter(f"{_M}oMath")):
            outer = equation.getparent()
            place = outer if outer is not None and outer.tag == f"{_M}oMathPara" else equation
            if place.getparent() is not None:
                place.addprevious(_run(f" {linear(equation)} "))
                equation.getparent().remove(equation)

    def _lift_text_boxes(self) -> None:
        """The paragraphs of a text box follow the paragraph that it is anchored to."""
        for box in list(self._root.iter(f"{_W}txbxContent")):
            anchor = _ancestor(box, "p")
            if anchor is not None:
                for block in reversed(list(box)):
                    anchor.addnext(block)

    def _name_styles(self) -> None:
        """Headings get Word's own style names; tables of contents go, their pages are volatile."""
        for paragraph in list(self._root.iter(f"{_W}p")):
            style = paragraph.find(f"{_W}pPr/{_W}pStyle")
            name = self._styles.name(style)
            if name.startswith("toc "):
                _replace(paragraph, ())
            elif name == "subtitle":
                _replace(style, ())
            elif name != "title" and not _BUILT_IN_HEADING.match(name):
                depth = self._styles.depth(style) or _outline_depth(paragraph.find(f"{_W}pPr"))
                if depth:
                    self._set_style(paragraph, self._styles.heading(depth, style))

    def _set_style(self, paragraph: Any, style_id: str) -> None:
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            properties = etree.Element(f"{_W}pPr")
            paragraph.insert(0, properties)
        style = properties.find(f"{_W}pStyle")
        if style is None:
            style = etree.Element(f"{_W}pStyle")
            properties.insert(0, style)
        style.set(f"{_W}val", style_id)

    def _join_code(self) -> None:
        """Paragraphs of code that follow each other become one, a line each."""
        first = None
        for paragraph in list(self._root.iter(f"{_W}p")):
            if _ancestor(paragraph, "tc") is not None or not self._is_code(paragraph):
                continue
            if first is None or paragraph.getprevious() is not first:
                first = paragraph
                after_properties = 1 if first.find(f"{_W}pPr") is not None else 0
                first.insert(after_properties, _run(CODE_MARK))
                continue
            first.append(_line_break())
            first.extend(child for child in list(paragraph) if child.tag != f"{_W}pPr")
            _replace(paragraph, ())

    def _join_runs(self) -> None:
        """One run a paragraph: their formats say nothing here, and each costs time."""
        for paragraph in self._root.iter(f"{_W}p"):
            runs = paragraph.findall(f"{_W}r")
            for run in runs[1:]:
                runs[0].extend(child for child in list(run) if child.tag != f"{_W}rPr")
                paragraph.remove(run)

    def _is_code(self, paragraph: Any) -> bool:
        if self._styles.is_code(paragraph.find(f"{_W}pPr/{_W}pStyle")):
            return True
        runs = [run for run in paragraph.iter(f"{_W}r") if run.find(f"{_W}t") is not None]
        fonts = (run.find(f"{_W}rPr/{_W}rFonts") for run in runs)
        names = ("" if font is None else font.get(f"{_W}ascii", "") for font in fonts)
        return (
            bool(runs)
            and all(_MONOSPACED.search(name) for name in names)
            and _CODE_CHARACTERS.search(_text(paragraph)) is not None
        )


class Styles:
    """The style part: which styles are headings or code, by outline level or by name."""

    def __init__(self, root: Any) -> None:
        self._root = root
        styles = () if root is None else root.iter(f"{_W}style")
        self._by_id = {style.get(f"{_W}styleId"): style for style in styles}
        self._added: dict[str, str] = {}

    def name(self, reference: Any) -> str:
        """The name of the style that a `w:pStyle` refers to, in lower case; "" without one."""
        return next((_style_name(style) for style in self._chain(reference)), "")

    def depth(self, reference: Any) -> int | None:
        """The heading level of a style, its own or that of a style that it is based on."""
        for style in self._chain(reference):
            name = _style_name(style)
            if match := _HEADING_NAME.match(name):
                return "123456789abcdef".index(match.group(1)) % 9 + 1
            if _TITLE_NAME.match(name):
                return 1
            if depth := _outline_depth(style.find(f"{_W}pPr")):
                return depth
        return None

    def is_code(self, reference: Any) -> bool:
        return any(_CODE_NAME.match(_style_name(style)) for style in self._chain(reference))

    def heading(self, depth: int, reference: Any) -> str:
        """The id of a style named `heading <depth>`, based on the style that it replaces."""
        based_on = "" if reference is None else reference.get(f"{_W}val", "")
        style_id = f"Openbook{depth}{based_on}"
        self._added[style_id] = (
            f'<w:style xmlns:w="{_W[1:-1]}" w:type="paragraph" w:styleId={quoteattr(style_id)}>'
            f'<w:name w:val="heading {depth}"/><w:basedOn w:val={quoteattr(based_on)}/></w:style>'
        )
        return style_id

    def part(self) -> bytes | None:
        if self._root is None:
            return None
        self._root.extend(etree.fromstring(style) for style in self._added.values())
        return bytes(etree.tostring(self._root))

    def _chain(self, reference: Any) -> Iterator[Any]:
        """The style that is referred to, the one that it is based on, and so on."""
        style_id = None if reference is None else reference.get(f"{_W}val")
        for _ in range(_STYLE_DEPTH):
            style = self._by_id.get(style_id)
            if style is None:
                return
            yield style
            base = style.find(f"{_W}basedOn")
            style_id = None if base is None else base.get(f"{_W}val")


def _style_name(style: Any) -> str:
    name = style.find(f"{_W}name")
    return "" if name is None else name.get(f"{_W}val", "").lower()


def _outline_depth(properties: Any) -> int | None:
    level = None if properties is None else properties.find(f"{_W}outlineLvl")
    value = "" if level is None else level.get(f"{_W}val", "")
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else None


def _text(node: Any) -> str:
    return "".join(text.text or "" for text in node.iter(f"{_W}t"))


def _run(text: str) -> Any:
    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}t").text = text
    return run


def _line_break() -> Any:
    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}br")
    return run


def _ancestor(node: Any, name: str) -> Any:
    return next(node.iterancestors(f"{_W}{name}"), None)


def _replace(element: Any, replacements: Sequence[Any]) -> None:
    parent = element.getparent()
    if parent is not None:
        index = parent.index(element)
        parent[index : index + 1] = replacements
