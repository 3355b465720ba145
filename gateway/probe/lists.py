"""How does the target list, how does it read a batch of keys, and does it know buckets by host?

Rules: the keys are chosen so that the usual other orders become visible: that of directories, of
UTF-16, and of letters without case.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from urllib.parse import quote

from gateway.probe.findings import Findings
from gateway.probe.integrity import deletion
from gateway.probe.store import Store, content_md5

_NAMES = ("a-b", "a.b", "a/b", "a0", "b", "Z", "_", "\uffee", "\U0001f600")
_ESCAPED = "sp ace+%25"
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def try_lists(store: Store, findings: Findings) -> None:
    """Fill in lists."""
    for name in _NAMES:
        store.put(f"{store.root}order/{name}", b"")
    found = store.listed("order/")
    wanted = sorted(found, key=str.encode)
    in_order = len(found) == len(_NAMES) and found == wanted
    shown = " ".join(key.rpartition("order/")[2] for key in found)
    findings.word("lists", "sorted", in_order, f"in this order: {shown}")
    store.put(f"{store.root}escapes/{_ESCAPED}", b"")
    escaped = store.listed("escapes/", "&encoding-type=url")
    good = bool(escaped) and "%2525" in escaped[0] and " " not in escaped[0]
    findings.word("lists", "encoding-type", good, f"a key was listed as {''.join(escaped)}")
    for name in "123":
        store.put(f"{store.root}starts/{name}", b"")
    start = quote(f"{store.root}starts/1", safe="")
    after = [key[-1] for key in store.listed("starts/", f"&start-after={start}")]
    findings.word("lists", "start-after", after == ["2", "3"], f"2 and 3 wanted: {after}")


def try_deletes(store: Store, findings: Findings) -> None:
    """Fill in mistakes_deletes."""
    key, _ = store.an_object("line")
    document = deletion(f"{key}\nbreak")
    store.ask("POST", "", "delete=", {"content-md5": content_md5(document)}, document)
    gone = store.stored(key) is None
    how = "a key with a line break deleted another object" if gone else "keys are taken whole"
    findings.flag("mistakes_deletes", gone, how)


def try_hosts(store: Store, findings: Findings) -> None:
    """Fill in virtual_hosts, if the endpoint has a name and the bucket can stand before it."""
    host = store.target.route.host
    if _is_address(host) or not _HOST_LABEL.fullmatch(store.bucket):
        why = "needs an endpoint with a name, and a bucket whose name can stand before it"
        findings.say(f"virtual_hosts: not tried: {why}")
        return
    key, body = store.an_object("host")
    try:
        answer = store.ask_bucket_host(key)
    except ssl.SSLError as error:
        findings.flag("virtual_hosts", False, str(error))
        return
    findings.flag("virtual_hosts", answer.body == body, answer.code)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
