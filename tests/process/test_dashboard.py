"""An operator opens the dashboard of a running gateway in a browser, and changes things there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.doubles.browser import CHROMIUM, Browser, Tab
from tests.doubles.target import Target
from tests.process.harness import Gateway, open_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]

TOKEN = "a-token-that-only-operators-have"
RULES = 60  # more than are shown at a time
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"&lt;'


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway with two targets, and where its admin plane is."""

    gateway: Gateway
    url: str
    config: dict[str, Any]

    def get(self, path: str, times: int = 1) -> None:
        for _ in range(times):
            self.gateway.request("GET", path)

    @contextlib.contextmanager
    def asking(self, path: str) -> Iterator[None]:
        """Asks for a path again and again, for what a page shows of the last seconds only."""
        ended = threading.Event()

        def ask() -> None:
            while not ended.wait(0.1):
                self.get(path)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Target() as main, Target() as second:
        main.objects["/bucket/key"] = second.objects["/other/key"] = b"0123456789" * 1000
        config: dict[str, Any] = {**open_config(main.url), "admin": {"token": TOKEN}}
        config["targets"]["second"] = {**config["targets"]["main"], "endpoint": second.url}
        rules = [{"pattern": f"unused-{number}", "target": "main"} for number in range(RULES - 1)]
        last = {"pattern": "other", "target": "second", "description": HOSTILE}
        config["routing"]["rules"] = [*rules, last]
        with Gateway.start(config, admin="127.0.0.1:0") as gateway:
            url = gateway.wait_for_log(r"admin plane on (http://\S+)")[1]
            yield Running(gateway, f"{url}/", config)


@pytest.fixture
def tab(browser: Browser, running: Running) -> Iterator[Tab]:
    one = shown(browser.open(running.url))
    yield one
    one.close()


def shown(tab: Tab) -> Tab:
    """Waits until a page shows what it has asked for."""
    tab.wait_for("!document.body.classList.contains('loading')")
    tab.wait_for(
        "document.querySelector('#rules-rows tr') && document.querySelector('#recent-rows tr')"
    )
    return tab


def contains(selector: str, text: str) -> str:
    return (
        f"document.querySelector({json.dumps(selector)}).textContent.includes({json.dumps(text)})"
    )


def give(tab: Tab, token: str) -> None:
    tab.fill("#token", token)
    tab.click("#token-take")


def test_the_page_has_no_error_and_asks_nobody_else(tab: Tab, running: Running) -> None:
    tab.wait_for("document.querySelector('#facts').textContent.includes('served by all workers')")
    assert tab.errors == []
    assert {urlsplit(url).netloc for url in tab.requests} == {urlsplit(running.url).netloc}
    assert tab.text("#state") == "live"


def test_the_plots_show_the_traffic_and_a_page_that_is_opened_later_has_it(
    tab: Tab, browser: Browser, running: Running
) -> None:
    running.get("/bucket/key", 20)
    with running.asking("/other/missing"):
        tab.wait_for("document.querySelectorAll('#plot-rate path.line').length >= 2")
        tab.wait_for("document.querySelector('#tile-rate').textContent !== '0/s'")
        assert "second" in tab.text("#plot-rate .legend")
        tab.wait_for("document.querySelectorAll('#plot-latency path.line').length === 3")
        errors = "document.querySelector('#plot-errors .legend').textContent"
        tab.wait_for(f"{errors}.match(/[1-9]\\/s/)")
    later = shown(browser.open(running.url))
    assert later.evaluate("document.querySelectorAll('#plot-rate path.line').length") >= 2
    later.close()


def test_arrow_keys_read_a_plot_out(tab: Tab, running: Running) -> None:
    running.get("/bucket/key")
    tab.wait_for("document.querySelector('#plot-rate path.line')")
    tab.evaluate("document.querySelector('#plot-rate svg').focus()")
    tab.key("ArrowLeft")
    assert tab.wait_for("document.querySelector('#plot-bytes .cursor')")
    assert "main" in tab.evaluate("document.querySelector('.unseen[aria-live]').textContent")


def test_the_form_says_where_a_request_would_go(tab: Tab) -> None:
    tab.fill("[name=bucket]", "other")
    tab.fill("[name=key]", "a/b.txt")
    tab.click("#where-form button")
    tab.wait_for(contains("#where-answer", "To second"))
    assert f"rule {RULES} " in tab.text("#where-answer .won")
    assert "35 more rules that do not match" in tab.text("#where-answer")
    tab.fill("[name=operation]", "GetObjekt")
    tab.click("#where-form button")
    tab.wait_for(contains("#where-answer", "GetObject"))  # the suggestion


def test_names_that_others_choose_are_text(tab: Tab, running: Running) -> None:
    running.get(f"/bucket/{quote(HOSTILE)}")  # 404: an error, and a decision
    tab.wait_for(contains("#recent-rows", HOSTILE))
    tab.click("#tab-decisions")
    tab.wait_for(contains("#recent-rows", HOSTILE))
    tab.fill("[name=bucket]", "bucket")
    tab.fill("[name=key]", HOSTILE)
    tab.click("#where-form button")
    tab.wait_for("document.querySelector('#where-answer .verdict-line')")
    tab.fill("#rules-search", "other")
    tab.wait_for(contains("#rules-rows", HOSTILE))
    assert tab.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert tab.evaluate("window.hacked === undefined")
    assert tab.errors == []


def test_rules_are_paged_and_searched(tab: Tab) -> None:
    assert "1\u201350 of 60" in tab.text("#rules-shown")
    tab.click("#rules-on")
    tab.wait_for(contains("#rules-shown", "51\u201360 of 60"))
    assert tab.evaluate("document.querySelectorAll('#rules-rows tr').length") == 10
    tab.fill("#rules-search", "no such rule")
    tab.wait_for(contains("#rules-rows", "No rule has these words."))
    tab.fill("#rules-search", "OTHER")
    tab.wait_for(contains("#rules-shown", "1\u20131 of 1, out of 60"))


def test_a_reload_wants_the_right_token_and_shows_what_is_wrong(tab: Tab, running: Running) -> None:
    give(tab, "not-the-token")
    tab.click("#reload")
    tab.wait_for(contains("#changes-result", "Wrong token"))
    assert tab.evaluate("document.querySelector('#reload').disabled")
    give(tab, TOKEN)
    tab.click("#reload")
    tab.wait_for(contains("#changes-result", "served by 2 workers"))
    running.gateway.write_config({**running.config, "rooting": {}})
    tab.click("#reload")
    tab.wait_for(contains("#changes-result", "rooting"))
    assert "gateway.yaml:" in tab.text("#changes-result .lines")
    running.gateway.write_config(running.config)
    tab.click("#tab-reloads")
    tab.wait_for(contains("#recent-rows", "refused"))
    assert tab.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert not any(TOKEN in url for url in tab.requests)
    tab.click("#token-drop")
    assert tab.evaluate("document.querySelector('#reload').disabled")


def test_a_target_is_disabled_if_it_is_meant(tab: Tab, running: Running) -> None:
    assert tab.evaluate("document.querySelectorAll('#targets-rows button').length") == 0
    give(tab, TOKEN)
    second = "#targets-rows tr[data-key=second] button"
    tab.click(second)
    tab.wait_for("document.querySelector('dialog').open")
    tab.click("dialog button[value=no]")
    tab.wait_for("!document.querySelector('dialog').open")
    assert not running.gateway.log_contains("second: is disabled")
    tab.click(second)
    tab.wait_for("document.querySelector('dialog').open")
    tab.click("#confirm-yes")
    tab.wait_for(contains("#targets-result", "Target second is disabled."))
    tab.wait_for(contains("#targets-rows tr[data-key=second]", "Enable"))
    tab.click(second)
    tab.wait_for(contains("#targets-result", "Target second is enabled."))
    assert tab.errors == []


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, True)])
def test_it_fits_a_phone_and_the_dark(
    browser: Browser, running: Running, width: int, dark: bool
) -> None:
    tab = shown(browser.open(running.url, width=width, height=844, dark=dark))
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 150) is dark
    tab.close()


def test_the_page_says_when_control_does_not_answer_and_goes_on_afterwards(
    tab: Tab, running: Running
) -> None:
    control = running.gateway.control_pid()
    os.kill(control, signal.SIGSTOP)
    try:
        tab.wait_for(contains("#notes", "No answer from the control process since"))
        assert tab.text("#state") == "no answer"
    finally:
        os.kill(control, signal.SIGKILL)  # the next one has another history
    tab.wait_for(f"!{contains('#foot', f'control {control}')}", 20)
    tab.wait_for("document.querySelector('#state').textContent === 'live'")
    assert tab.text("#notes") == ""
    running.get("/bucket/key", 10)
    tab.wait_for("document.querySelector('#tile-rate').textContent !== '0/s'")


def test_a_drain_ends_the_gateway_and_the_page_says_so(browser: Browser) -> None:
    with Target() as target:
        config = {**open_config(target.url), "admin": {"token": TOKEN}}
        with Gateway.start(config, 1, admin="127.0.0.1:0") as gateway:
            url = gateway.wait_for_log(r"admin plane on (http://\S+)")[1]
            tab = shown(browser.open(f"{url}/"))
            give(tab, TOKEN)
            tab.click("#drain")
            tab.wait_for("document.querySelector('dialog').open")
            tab.click("#confirm-yes")
            assert gateway.wait() == 0
            tab.wait_for(contains("#changes-result", "Draining: the gateway ends"))
            tab.wait_for(contains("#notes", "No answer from the control process since"))
            tab.close()
