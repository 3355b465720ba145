"""Makes the pictures of the dashboard that the documents show.

    python -m tests.process.screenshots docs/screenshots

A gateway with three targets is under mixed load for six minutes: reads and writes of three
identities, keys that do not exist, a signature with a wrong key; one target fails in the fifth
minute. Run it after a change of the page, and look at the pictures.
"""

from __future__ import annotations

import contextlib
import math
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.doubles.browser import Browser, Tab
from tests.doubles.signing import RawClient
from tests.doubles.target import Fault, Target
from tests.process.harness import Gateway, wait_until

SECONDS = 360.0
FAILS_AFTER = 285.0  # seconds
TOKEN = "a-token-that-is-shown-to-nobody"
IDENTITIES = ("analytics", "ingest", "backup")
CLIENTS = 3  # of each identity
PHONE = 390  # pixels
HEADER = 50
VIEWS: dict[str, dict[str, Any]] = {
    "dashboard-light": {"width": 1280, "height": 900},
    "dashboard-dark": {"width": 1280, "height": 900, "dark": True},
    "dashboard-phone": {"width": PHONE, "height": 844, "scale": 2},
}


def configuration(lakefs: Target, s3: Target, archive: Target) -> str:
    """The file, as an operator would write it: lines of rules are shown."""

    def target(name: str, one: Target) -> str:
        return f"""
  {name}:
    profile: generic
    endpoint: {one.url}
    access_key_id: TARGET
    secret_access_key: target-secret
    health: {{interval_seconds: 1}}"""

    identities = "".join(
        f"\n    - {{name: {name}, access_key_id: {name.upper()}, secret_access_key: {name}-secret}}"
        for name in IDENTITIES
    )
    return f"""
admin:
  token: {TOKEN}
auth:
  identities:{identities}
targets:{target("lakefs", lakefs)}{target("s3", s3)}{target("archive", archive)}
routing:
  rules:
    - pattern: "events-*"
      target: lakefs
      description: Versioned since October
    - pattern: "models"
      operations: [read, list]
      target: lakefs
      description: Training reads what was committed
    - pattern: "backup-*"
      identities: [backup]
      target: archive
      description: Kept for seven years
    - pattern: "logs-??"
      target: s3
  default_target: s3
"""


class Load:
    """Clients that ask as programs do, until it ends."""

    def __init__(self, gateway: Gateway, archive: Target) -> None:
        self._gateway = gateway
        self._archive = archive
        self._began = time.monotonic()
        self._ended = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Within, there is load."""
        plays = {"analytics": self._read, "ingest": self._write, "backup": self._back_up}
        threads = [
            threading.Thread(target=self._play, args=(name, plays[name], number))
            for name in IDENTITIES
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _play(self, name: str, play: Callable[[RawClient, random.Random], None], seed: int) -> None:
        host, port = self._gateway.address
        client = RawClient(host, port, name.upper(), f"{name}-secret")
        chance = random.Random(f"{name} {seed}")
        while not self._ended.is_set():
            wave = 1 + 0.45 * math.sin((time.monotonic() - self._began) / 50 + len(name))
            self._ended.wait(chance.expovariate(9 * wave))
            with contextlib.suppress(OSError):
                play(client, chance)

    def _read(self, client: RawClient, chance: random.Random) -> None:
        if chance.random() < 0.04:
            client.send("GET", b"/events-eu/2026/11/30/missing.parquet")
        elif chance.random() < 0.3:
            client.send("GET", b"/models/resnet/weights-%d.bin" % chance.randrange(4))
        else:
            client.send("GET", b"/events-eu/2026/11/30/part-%02d.parquet" % chance.randrange(40))

    def _write(self, client: RawClient, chance: random.Random) -> None:
        if chance.random() < 0.02:
            wrong = RawClient(client.host, client.port, client.access_key_id, "another-secret")
            wrong.send("GET", b"/logs-eu/app.log")
        size = int(chance.expovariate(1 / 30_000))
        client.send("PUT", b"/logs-eu/app-%03d.log" % chance.randrange(500), bytes(size))

    def _back_up(self, client: RawClient, chance: random.Random) -> None:
        if chance.random() < 0.15:
            client.send("PUT", b"/backup-2026/db/%04d.tar" % chance.randrange(2000), bytes(20_000))

    def fail(self) -> None:
        """The archive is off from now on."""
        self._archive.fault = Fault.REFUSE


def fill(lakefs: Target, s3: Target, archive: Target) -> None:
    """Gives each target its objects, and the time that it takes."""
    for one, milliseconds in ((lakefs, 4), (s3, 18), (archive, 45)):
        one.objects["/"] = b""  # what health checks ask for
        one.refusal = _slow(one, milliseconds)
        one.fault = Fault.SLOW
    for number in range(40):
        content = bytes(20_000 + 4_000 * number)
        lakefs.objects[f"/events-eu/2026/11/30/part-{number:02d}.parquet"] = content
    for number in range(4):
        lakefs.objects[f"/models/resnet/weights-{number}.bin"] = bytes(400_000)


def _slow(one: Target, milliseconds: float) -> Callable[[object], None]:
    chance = random.Random(one.name)

    def answer(_: object) -> None:
        # Of the next request.
        one.delay_seconds = chance.lognormvariate(math.log(milliseconds / 1000), 0.7)

    return answer


def take(browser: Browser, url: str, directory: Path) -> None:
    """Writes the pictures."""
    for name, view in VIEWS.items():
        tab = browser.open(url, **view)
        tab.wait_for("document.querySelector('#rules-rows tr th')")
        tab.wait_for("document.querySelector('#recent-rows tr td.when')")
        if view["width"] > PHONE:
            tab.resize(view["width"], below(tab, "#workers"))
        (directory / f"{name}.png").write_bytes(tab.screenshot())
        if name == "dashboard-light":
            (directory / "dashboard-decision.png").write_bytes(decision(tab))
        tab.close()


def decision(tab: Tab) -> bytes:
    """The form and its answer, and the routing table."""
    for field, text in {"bucket": "models", "key": "resnet/weights-0.bin"}.items():
        tab.fill(f"[name={field}]", text)
    tab.click("#where-form button")
    tab.wait_for("document.querySelector('#where-answer .won')")
    tab.evaluate("document.activeElement.blur()")
    tab.evaluate("document.querySelector('#where').scrollIntoView({behavior: 'instant'})")
    tab.resize(1280, below(tab, "#rules") - below(tab, "#workers") + HEADER)
    tab.evaluate("document.querySelector('#where').scrollIntoView({behavior: 'instant'})")
    return tab.screenshot()


def below(tab: Tab, selector: str) -> int:
    """Where a section ends on the page, and a margin."""
    box = f"document.querySelector('{selector}').getBoundingClientRect()"
    return int(tab.evaluate(f"{box}.bottom + scrollY")) + 24


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with Target("lakefs") as lakefs, Target("s3") as s3, Target("archive") as archive:
        fill(lakefs, s3, archive)
        flags = {"admin": "127.0.0.1:0", "access_log": "off"}
        file = Path(tempfile.gettempdir()) / "s3gateway" / "gateway.yaml"  # it is in the pictures
        file.parent.mkdir(exist_ok=True)
        file.write_text(configuration(lakefs, s3, archive))
        with Gateway.start(file, 4, **flags) as gateway:
            url = gateway.wait_for_log(r"admin plane on (http://\S+)")[1]
            load = Load(gateway, archive)
            with load.running(), Browser() as browser:
                time.sleep(FAILS_AFTER)
                load.fail()
                wait_until(lambda: gateway.log_contains("archive.*unhealthy"), "unhealthy", 30)
                time.sleep(SECONDS - FAILS_AFTER)
                take(browser, f"{url}/", directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
