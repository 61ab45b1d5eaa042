"""What is read without markdown-it is read as markdown-it would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.ingest.parse.elements import prose
from tasks.ingest.parse.readers.markdown_rules import inline_text, parse_blocks

SPANS = (
    "word", " ", "  ", "\n", "_", "*", "**", "***", "`", "``", "` x `", "[", "]", "(", ")", "!",
    "<b>", "</b>", "<br/>", "<Icon name='n' />", "<http://h>", "<", ">", "\\", "&amp;", "a_b", "~~",
    ":", ".", "é", "**bold**", "**bold:** ", "[a](/a_b)", "[a](https://h:1/x)", "[a](javascript:x)",
)  # fmt: skip
LINES = (
    "", "", "words", "  words", "    words", "`code` words", "**bold** words", "é words", "- item",
    "  - item", "1. item", "* item", "> quoted", "# heading", "---", "===", "```", "| a | b |",
    "|---|---|", "a | b", "<div>", "</div>", "<b>inline</b>", "[a]: /b", "\t", "   more", "+", "**",
)  # fmt: skip


def plain_parser(*, mdx: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": 60}).enable(["table", "strikethrough"])
    return parser.disable("code") if mdx else parser


@given(spans=st.lists(st.sampled_from(SPANS), max_size=12))
def test_inline_text_is_that_of_the_inline_tokens(spans: list[str]) -> None:
    source = "".join(spans).strip()
    (paragraph,) = plain_parser(mdx=False).parseInline(source)
    shown = {"softbreak": " ", "hardbreak": "\n"}
    tags = {"<br/>": "\n", "<Icon name='n' />": "n"}
    expected = "".join(
        tags.get(token.content, "")
        if token.type == "html_inline"
        else shown.get(token.type, token.content)
        for token in paragraph.children or ()
    )
    assert prose(inline_text(source, {})) == prose(expected)


@given(lines=st.lists(st.sampled_from(LINES), max_size=14), mdx=st.booleans())
def test_blocks_are_those_of_all_rules(lines: list[str], mdx: bool) -> None:
    source = "\n".join(lines)
    tokens, _ = parse_blocks(source, mdx)
    expected = plain_parser(mdx=mdx).parse(source)
    assert [(token.type, token.tag, token.level, token.content.strip()) for token in tokens] == [
        (token.type, token.tag, token.level, token.content.strip()) for token in expected
    ]
