"""A file to its elements: text, headings, tables, with pages and sections where there are any."""

from tasks.ingest.parse.formats import HEAD_BYTES, format_of
from tasks.ingest.parse.pool import ParserPool
from tasks.ingest.parse.readers import parse

PARSER_VERSION = 2
"""Raise it when the same file gives other elements: every document is then parsed anew."""

__all__ = ["HEAD_BYTES", "PARSER_VERSION", "ParserPool", "format_of", "parse"]
