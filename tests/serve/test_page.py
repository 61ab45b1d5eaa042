"""The search page in a real Chromium, against the real server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tasks.settings import Settings
from tests.chat import chat_endpoint
from tests.retrieve.conftest import Shelf
from tests.serve.conftest import Served, serving

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1100,900",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no chromium with chromedriver on PATH; Debian: apt install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for the module; every test's server is an origin of its own."""
    assert CHROMIUM and DRIVER
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The page as its reader uses it."""

    def __init__(self, driver: webdriver.Chrome, served: Served) -> None:
        self.driver = driver
        self.address = served.address + "/"

    def open(self, link: str = "") -> None:
        """Follow a link to the page and wait until it is ready."""
        self.driver.get(self.address + link)
        self.wait(lambda: self.script("return document.getElementById('collection').length > 0"))
        if "q=" in link:
            self.settle()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until the condition holds."""
        return WebDriverWait(self.driver, 30, 0.02).until(lambda _: condition())

    def settle(self) -> None:
        """Until the search has ended, in whatever way."""
        self.wait(
            lambda: self.state() and not self.script("return !!document.querySelector('.busy')")
        )

    def script(self, text: str) -> Any:
        """What the script returns."""
        return self.driver.execute_script(text)

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def search(self, query: str) -> None:
        """Type a query and wait for what it finds."""
        box = self.driver.find_element(By.ID, "q")
        box.clear()
        box.send_keys(query, Keys.ENTER)
        self.settle()

    def state(self) -> str:
        """The line above the hits."""
        return str(self.driver.find_element(By.ID, "state").text)

    def texts(self, selector: str) -> list[str]:
        """The texts of what the selector finds, as they are read, all at one moment."""
        return list(
            self.driver.execute_script(
                "return [...document.querySelectorAll(arguments[0])]"
                ".map(found => found.innerText.trim())",
                selector,
            )
        )


@pytest.fixture
def page(chromium: webdriver.Chrome, served: Served, stocked: Shelf) -> Page:
    """The page of a server over three documents about the sea."""
    return Page(chromium, served)


def test_a_hit_shows_its_file_heading_marked_words_and_ranks(page: Page) -> None:
    page.open()
    assert page.script("return document.activeElement.id") == "q"
    page.search("spring tides")
    assert page.texts(".hit .path")[0] == "tides.md"
    assert page.texts(".hit .heading")[0] == "Tides"
    assert page.texts(".hit .text")[0] == "The spring tide follows the new moon."
    assert page.texts(".hit:first-child mark") == ["spring", "tide"]
    assert page.texts(".hit .ranks")[0] == "words 1 · meaning 1"


def test_an_answer_leads_to_the_passages_that_it_cites(
    chromium: webdriver.Chrome, database: Settings, stocked: Shelf
) -> None:
    with chat_endpoint() as model:
        model.reply = lambda _: "The <b>spring</b> tide [2][9]. <img src=x onerror=alert(1)>"
        settings = replace(database, answer_model="moon-1", answer_url=model.url)
        with serving(settings) as served:
            page = Page(chromium, served)
            page.open()
            page.script("document.getElementById('q').value = 'spring tide'")
            chromium.find_element(By.ID, "to-answer").click()
            page.settle()
            assert page.texts("#answer p") == [
                "The <b>spring</b> tide 2. <img src=x onerror=alert(1)>"
            ]
            assert page.state().endswith("taken out: 1 of its citations")
            assert page.texts(".hit.cited .number") == ["[2]"]
            assert set(page.texts(".hit.uncited .number")) >= {"[1]"}
            chromium.find_element(By.CSS_SELECTOR, ".cite").click()
            assert page.texts(".hit.chosen .number") == ["[2]"]
            model.refuses_everything = True
            chromium.find_element(By.ID, "to-answer").click()
            page.wait(lambda: "content policy" in page.state())


def test_without_a_model_the_page_shows_the_best_passages(page: Page) -> None:
    page.open()
    box = page.driver.find_element(By.ID, "q")
    box.send_keys("spring tide", Keys.SHIFT, Keys.ENTER)
    page.settle()
    page.wait(lambda: "No model is configured" in page.state())
    assert page.texts(".hit .path")[0] == "tides.md"
    assert not page.driver.find_element(By.ID, "answer").is_displayed()


def test_a_link_holds_the_whole_question_and_back_returns_to_the_one_before(page: Page) -> None:
    condition = quote(json.dumps({"year": {"gte": 2022}}))
    page.open(f"?q=moon&mode=keyword&filter={condition}")
    assert page.texts(".hit .path") == ["logs/sea.txt"]
    page.driver.find_element(By.ID, "filter").clear()
    page.search("tide")
    assert page.driver.current_url == page.address + "?q=tide&mode=keyword"
    assert set(page.texts(".hit .path")) == {"tides.md"}
    page.driver.back()
    page.wait(lambda: page.texts(".hit .path") == ["logs/sea.txt"])
    assert page.script("return document.getElementById('q').value") == "moon"


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.pwned = 1</script> tide <b>bold</b>",
        '<img src=x onerror="window.pwned = 1"> tide &lt;p&gt; "quoted"',
        "tide \u202egnitirw\u202c e\u0301 \U0001f30a \ufffd \u2028 end",
    ],
)
def test_what_a_document_holds_is_shown_as_text(page: Page, stocked: Shelf, text: str) -> None:
    stocked.put(f"{text[:12].replace('/', ' ')}.txt", text, title=text, source="hostile")
    stocked.embed()
    page.open("?q=" + quote(f"{text} source:hostile"))
    shown = page.script("return document.querySelector('.hit .text').textContent")
    assert shown == text
    assert page.script("return document.querySelector('.heading').textContent") == text
    assert page.script("return document.querySelectorAll('main b, main img').length") == 1
    assert page.script("return window.pwned") is None


def test_the_page_is_used_by_keyboard_alone(page: Page) -> None:
    page.open("?q=sea+moon+tide+wind")
    page.press(Keys.ESCAPE, "j", "j", "k", Keys.ARROW_DOWN)
    assert (
        page.script(
            "return [...document.querySelectorAll('.hit')].indexOf("
            "document.querySelector('.chosen'))"
        )
        == 1
    )
    page.press(Keys.ENTER)
    page.wait(lambda: page.texts(".hit.open .why dt"))
    page.press(Keys.ESCAPE)
    assert not page.texts(".hit.open")
    page.press("/")
    assert page.script("return document.activeElement.id") == "q"
    page.press("j")
    assert page.script("return document.getElementById('q').value") == "j"


def test_an_opened_hit_says_why_and_shows_what_stands_around(page: Page) -> None:
    page.open("?q=spring+tide&mode=keyword")
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.wait(lambda: page.texts(".around"))
    assert page.texts(".around .text") == ["A neap tide comes with the half moon."]
    facts = dict(zip(page.texts(".why dt"), page.texts(".why dd"), strict=True))
    assert facts["Words"].startswith("1st of its list, BM25 ")
    assert "spring" in facts["Words"]
    assert "tide" in facts["Words"]
    assert facts["Meaning"] == "was not asked for"
    assert facts["Source"] == "shelf"


def test_more_hits_follow_without_repetition(page: Page, stocked: Shelf) -> None:
    stocked.put("many.txt", *(f"Harbour number {number} is open." for number in range(23)))
    stocked.embed()
    page.open("?q=harbour&mode=keyword")
    for count in (20, 23):
        page.driver.find_element(By.ID, "more").click()
        page.wait(lambda count=count: len(page.texts(".hit")) == count)
    page.settle()
    assert len(set(page.texts(".hit .text"))) == 23
    assert not page.driver.find_element(By.ID, "more").is_displayed()


@pytest.mark.parametrize(
    ("link", "lesson"),
    [
        ("?q=xyzzy&mode=keyword", "try words and meaning"),
        ("?q=tide&filter=" + quote('{"year": 1}'), "the filter may leave no document"),
        ("?q=tide&filter={nonsense", "The filter is not a JSON object"),
        ("?q=tide&filter=" + quote('{"year": {"near": 1}}'), "near"),
        ("?q=tide&collection=nowhere", "no vector store or collection"),
    ],
)
def test_what_finds_nothing_or_fails_says_what_to_do(page: Page, link: str, lesson: str) -> None:
    page.open(link)
    assert lesson in page.state()
    assert not page.texts(".hit")


def test_a_locked_server_is_opened_by_a_token_that_stays_in_the_tab(
    page: Page, served: Served
) -> None:
    token = served.token()
    page.driver.get(page.address + "?q=tide")
    field = page.driver.find_element(By.ID, "token")
    page.wait(field.is_displayed)
    field.send_keys("ob-wrong", Keys.ENTER)
    page.wait(lambda: page.state() == "That token is not known here.")
    field.send_keys(token, Keys.ENTER)
    page.wait(lambda: page.texts(".hit"))
    page.settle()
    assert not field.is_displayed()
    page.open("?q=moon")
    assert page.texts(".hit")
    assert token not in page.driver.current_url
    assert page.script("return [localStorage.length, document.cookie]") == [0, ""]


def test_nothing_is_asked_of_another_origin_and_nothing_else_may_run(page: Page) -> None:
    for log in ("performance", "browser"):
        page.driver.get_log(log)  # what the tests before left
    page.open("?q=tide")
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.wait(lambda: page.texts(".around"))
    events = [json.loads(e["message"])["message"] for e in page.driver.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(urls) >= 4
    assert [url for url in urls if not url.startswith((page.address, "data:"))] == []
    assert page.driver.get_log("browser") == []

    page.script(
        "const s = document.createElement('script'); s.textContent = 'window.pwned = 1';"
        "document.body.append(s);"
        "fetch('http://localhost:1/').catch(() => { window.refused = 1; });"
    )
    page.wait(lambda: page.script("return window.refused") == 1)
    assert page.script("return window.pwned") is None
    blocked = [entry["message"] for entry in page.driver.get_log("browser")]
    assert sum("Content Security Policy" in message for message in blocked) >= 2


def test_a_narrow_screen_needs_no_sideways_scrolling(page: Page, stocked: Shelf) -> None:
    stocked.put("long.txt", "tide " + "x" * 500, title="y" * 300)
    stocked.embed()
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open("?q=tide")
        page.press(Keys.ARROW_DOWN, Keys.ENTER)
        page.wait(lambda: page.texts(".why dt"))
        widths = "return [document.documentElement.scrollWidth, innerWidth]"
        assert page.script(widths) == [360, 360]
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_is_one_file_that_comes_with_the_package() -> None:
    html = (Path(__file__).parents[2] / "tasks" / "serve" / "page.html").read_text("utf-8")
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert "innerHTML" not in html
