"""OpenAI's client reads collections as vector stores."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.retrieve.conftest import Shelf
from tests.serve.conftest import Served


def search(served: Served, query: str | list[str], **options: Any) -> Any:
    return served.openai().vector_stores.search("default", query=query, **options)


def files(served: Served, **options: Any) -> set[str]:
    return {result.filename for result in search(served, "sea moon wind tide", **options)}


def test_a_search_answers_passages_with_file_score_text_and_attributes(
    served: Served, stocked: Shelf
) -> None:
    page = search(served, "when is the spring tide?", max_num_results=2)
    assert page.object == "vector_store.search_results.page"
    first = page.data[0]
    assert first.filename == "tides.md"
    assert first.content[0].text == "The spring tide follows the new moon."
    assert 0 < page.data[1].score <= first.score <= 1
    known = {"author": "Ann", "year": 2021, "title": "Tides", "format": "md", "source": "shelf"}
    assert known.items() <= first.attributes.items()
    assert "tags" not in first.attributes, "attributes are texts, numbers and truth values"


def test_pages_follow_one_another_without_gap_or_repetition(served: Served, stocked: Shelf) -> None:
    whole = [result.content[0].text for result in search(served, "the sea and the moon")]
    seen: list[str] = []
    page = "0"
    while page is not None:
        answer = search(
            served, "the sea and the moon", max_num_results=1, extra_body={"page": page}
        )
        seen += [result.content[0].text for result in answer.data]
        page = answer.next_page
        assert answer.has_more == (page is not None)
    assert seen == whole
    assert len(seen) == 4


def test_several_queries_are_searched_together_and_no_passage_comes_twice(
    served: Served, stocked: Shelf
) -> None:
    texts = [r.content[0].text for r in search(served, ["spring tide", "trade wind", "tide"])]
    assert {"The spring tide follows the new moon.", texts[0]} <= set(texts)
    assert len(texts) == len(set(texts)) == 4


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "eq", "key": "author", "value": "Ann"}, {"tides.md"}),
        ({"type": "ne", "key": "author", "value": "Ann"}, {"wind.pdf", "logs/sea.txt"}),
        ({"type": "gte", "key": "year", "value": 2023}, {"wind.pdf", "logs/sea.txt"}),
        ({"type": "lt", "key": "year", "value": 2022}, {"tides.md"}),
        ({"type": "eq", "key": "draft", "value": True}, {"wind.pdf"}),
        ({"type": "in", "key": "format", "value": ["md", "txt"]}, {"tides.md", "logs/sea.txt"}),
        ({"type": "nin", "key": "path", "value": ["tides.md"]}, {"wind.pdf", "logs/sea.txt"}),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "title", "value": "Wind"},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "gt", "key": "year", "value": 2020},
                            {"type": "eq", "key": "tags", "value": "moon"},
                        ],
                    },
                ],
            },
            {"wind.pdf", "tides.md"},
        ),
    ],
)
def test_filters_compare_and_combine(
    served: Served, stocked: Shelf, filters: Any, expected: set[str]
) -> None:
    assert files(served, filters=filters) == expected


def test_a_threshold_leaves_what_scores_at_least_as_much(served: Served, stocked: Shelf) -> None:
    scores = [result.score for result in search(served, "spring tide")]
    kept = search(served, "spring tide", ranking_options={"score_threshold": scores[1]})
    assert [result.score for result in kept] == scores[:2]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"query": ""}, "query"),
        ({"query": []}, "query"),
        ({"query": "x" * 8001}, "query"),
        ({"query": ["tide"] * 9}, "query"),
        ({"query": "tide", "max_num_results": 51}, "max_num_results"),
        ({"query": "tide", "filters": {"type": "is", "key": "a", "value": 1}}, "filters"),
        ({"query": "tide", "filters": {"type": "eq", "key": "or", "value": 1}}, "filters"),
        ({"query": "tide", "filters": {"type": "gt", "key": "path", "value": 1}}, "path"),
        ({"query": "tide", "extra_body": {"page": "9999"}}, "paging"),
    ],
)
def test_a_wrong_request_is_named_in_openais_error(
    served: Served, stocked: Shelf, options: Any, named: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        served.openai().vector_stores.search("default", **options)
    assert raised.value.type == "invalid_request_error"
    assert named in raised.value.message


def test_stores_are_listed_and_retrieved_with_their_counts(served: Served, stocked: Shelf) -> None:
    stocked.put("other.txt", "Elsewhere.", source="second", collection="archive")
    client = served.openai()
    assert [store.id for store in client.vector_stores.list(order="asc")] == ["archive", "default"]
    assert [store.id for store in client.vector_stores.list(limit=1)] == ["default", "archive"]
    store = client.vector_stores.retrieve("default")
    assert (store.name, store.status, store.file_counts.completed) == ("default", "completed", 3)


def test_files_are_listed_page_by_page_and_retrieved(served: Served, stocked: Shelf) -> None:
    files = served.openai().vector_stores.files
    listed = list(files.list("default", limit=2, order="asc"))
    assert [file.attributes["path"] for file in listed] == ["tides.md", "wind.pdf", "logs/sea.txt"]
    found = files.retrieve(listed[1].id, vector_store_id="default")
    assert found == listed[1]
    assert (found.status, found.attributes["author"]) == ("completed", "Ben")


def test_a_rejected_file_says_why(served: Served, stocked: Shelf) -> None:
    stocked.put("broken.docx", "Once good.")
    stocked.remove("broken.docx")
    stocked.connection.execute(
        "update documents set status = 'rejected', reason = 'the archive is damaged',"
        " remedy = 'Save it again.' where path = 'broken.docx'"
    )
    (file,) = served.openai().vector_stores.files.list("default", filter="failed")
    assert file.status == "failed"
    assert file.last_error is not None
    assert file.last_error.message == "the archive is damaged. Save it again."


def test_a_files_content_is_its_text_in_pages(served: Served, stocked: Shelf) -> None:
    text = "".join(f"{number:06}, " for number in range(20_000))
    stocked.connection.execute("update contents set text = %s where format = 'md'", [text])
    (found,) = search(served, "spring tide", max_num_results=1)
    files = served.openai().vector_stores.files
    page = files.content(found.file_id, vector_store_id="default")
    parts, following = [page.data[0].text], page.next_page
    while following:
        page = files.content(
            found.file_id, vector_store_id="default", extra_query={"page": following}
        )
        parts.append(page.data[0].text)
        following = page.next_page
    assert len(parts) == 2
    assert "".join(parts) == text


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "' or 1=1 --", "é" * 300])
def test_a_store_that_does_not_exist_is_not_found(
    served: Served, stocked: Shelf, name: str
) -> None:
    client = served.openai().vector_stores
    for call in (
        lambda: client.search(name, query="tide"),
        lambda: client.retrieve(name),
        lambda: client.files.list(name),
        lambda: client.files.content("file-1", vector_store_id=name),
    ):
        with pytest.raises(openai.NotFoundError):
            call()


@pytest.mark.parametrize("name", ["file-999", "file-x", "12345678901234567890", "file-²"])
def test_a_file_that_does_not_exist_is_not_found(served: Served, stocked: Shelf, name: str) -> None:
    files = served.openai().vector_stores.files
    with pytest.raises(openai.NotFoundError):
        files.retrieve(name, vector_store_id="default")
    with pytest.raises(openai.NotFoundError):
        files.content(name, vector_store_id="default")


def test_a_file_of_another_store_is_not_found(served: Served, stocked: Shelf) -> None:
    stocked.put("other.txt", "Elsewhere.", source="second", collection="archive")
    files = served.openai().vector_stores.files
    (other,) = files.list("archive")
    with pytest.raises(openai.NotFoundError):
        files.retrieve(other.id, vector_store_id="default")
