"""`s3gateway explain` against a worker: the same rule, target and error for random requests."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.config import load
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.explain.request import place_of, request_of
from gateway.explain.trial import Circumstances, Outcome, snapshot_of, try_out
from tests.doubles.http1 import ok
from tests.doubles.signing import RawClient
from tests.doubles.wire import Rig
from tests.property.depth import DEPTH

PEOPLE = ("ann", "bob", "eve")
TARGETS = ("one", "two")
KEYS = ("raw/a", "raw/ab", "log", "x")

REWRITES: tuple[dict[str, str], ...] = (
    {"bucket": "lake"},
    {"key_prefix": "main/"},
    {"bucket": "lake", "key_prefix": "{team}/"},
    {"strip_prefix": "raw/"},
    {"strip_prefix": "raw/", "key_prefix": "new/"},
)
RULES = st.fixed_dictionaries(
    {
        "pattern": st.sampled_from(["data"] * 3 + ["data-*", "team-{team}", "*a*", "?ata", "*"]),
        "target": st.sampled_from(TARGETS),
    },
    optional={
        "keys": st.sampled_from([["raw/*"], ["raw/?", "log"], ["*"], ["raw/a*"], ["r*", "[!r]?"]]),
        "operations": st.sampled_from([["read"], ["write"], ["list"], ["DELETE"], ["PutObject"]]),
        "identities": st.sampled_from([["ann"], ["bob"], ["ann", "eve"]]),
        "rewrite": st.sampled_from(REWRITES),
    },
)


class Sent(NamedTuple):
    """A request: `word` is what `explain` calls it, the rest is what a client sends."""

    word: str
    method: str
    query: str = ""
    keyed: bool = True
    headers: tuple[tuple[str, str], ...] = ()


COPY = (("x-amz-copy-source", "/data/raw/a"),)
SENT = (
    Sent("GetObject", "GET"),
    Sent("HEAD", "HEAD"),
    Sent("PUT", "PUT"),
    Sent("PUT", "PUT", headers=COPY),
    Sent("DeleteObject", "DELETE"),
    Sent("CreateMultipartUpload", "POST", "uploads"),
    Sent("GET", "GET", "location", keyed=False),
    Sent("GET", "GET", "list-type=2", keyed=False),
    Sent("GET", "GET", "list-type=2&prefix=raw%2F", keyed=False),
    Sent("GET", "GET", "prefix=raw%2Fa", keyed=False),
    Sent("GET", "GET", "prefix=x", keyed=False),
    Sent("PUT", "PUT", "x-amz-acl=public-read&x-amz-meta-a=b"),
    Sent("DeleteObjects", "POST", "delete", keyed=False),
)
RAW_TO_ONE = {"pattern": "data", "target": "one", "keys": ["raw/*"]}
LIST_OF_ALL, BATCH = SENT[7], SENT[-1]


def configuration(rules: list[dict[str, Any]]) -> str:
    """JSON is YAML."""
    pair = {"access_key_id": "AKIDTARGET", "secret_access_key": "hidden"}
    identities: list[dict[str, Any]] = [
        {"name": who, "access_key_id": f"AKID{who.upper()}", "secret_access_key": f"hidden-{who}"}
        for who in PEOPLE
    ]
    identities[2]["allow"] = [{"actions": ["read", "list"]}]
    targets = {
        name: {"endpoint": f"http://{name}.test", "profile": "generic", **pair} for name in TARGETS
    }
    routing = {"default_target": "two", "rules": rules}
    return json.dumps({"auth": {"identities": identities}, "targets": targets, "routing": routing})


def model_of(rules: list[dict[str, Any]]) -> Config:
    """The configuration of these rules, without those that have an error."""
    loaded = load({"config": "x.yaml"}, {}, configuration(rules))
    if loaded.model is not None:
        return loaded.model
    paths = (re.match(r"routing\.rules\[(\d+)\]", problem.path) for problem in loaded.problems)
    wrong = {int(path[1]) for path in paths if path}
    assert wrong, loaded.problems
    return model_of([rule for index, rule in enumerate(rules) if index not in wrong])


def worker_says(model: Config, sent: Sent, who: str, place: str, keys: list[str]) -> dict[str, Any]:
    """The line of the access log, and what the target heard first."""
    pair = {"access_key_id": "AKIDTARGET", "secret_access_key": "hidden", "token": None}
    document = compile_snapshot(model, dict.fromkeys(TARGETS, pair))
    taken = ("identities", "credentials", "targets", "default_target")
    changes: dict[str, Any] = {name: document[name] for name in taken}
    rig = Rig(mode="sigv4", rules=model.rules, **changes)
    body = b""
    if sent.word == "DeleteObjects":
        body = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys).encode()
        body = b"<Delete>%b</Delete>" % body
    client = RawClient("localhost", 80, f"AKID{who.upper()}", f"hidden-{who}")
    headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), **dict(sent.headers)}
    target = f"{place}?{sent.query}" if sent.query else place
    peer = rig.connect()
    peer.says(client.head(sent.method, target.encode(), len(body), headers) + body)
    while asked := [one for one in rig.targets if one.take()]:  # a copy may ask several times
        for one in asked:
            one.says(ok(b"", 'ETag: "1"'))
    assert not rig.defects
    (line,) = rig.lines("access")
    return line


def explanation(model: Config, sent: Sent, who: str, place: str, keys: list[str]) -> Outcome:
    bucket, _, key = place[1:].partition("/")
    headers = [f"{name}: {value}" for name, value in sent.headers]
    request = request_of(place_of(bucket, key), sent.word, sent.query, headers)
    callers = snapshot_of(model).callers.values()
    caller = next(caller for caller in callers if caller.name == who)
    return try_out(request, caller, model, Circumstances(tuple(keys)))


@given(
    rules=st.lists(RULES, max_size=5),
    sent=st.sampled_from(SENT),
    who=st.sampled_from(PEOPLE),
    bucket=st.sampled_from(["data"] * 3 + ["data-x", "team-red", "other"]),
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3),
)
@example([RAW_TO_ONE], LIST_OF_ALL, "ann", "data", ["x"])  # across: refused
@example([RAW_TO_ONE, {"pattern": "data", "target": "one"}], LIST_OF_ALL, "ann", "data", ["x"])
@example([RAW_TO_ONE], BATCH, "ann", "data", ["x", "raw/a"])  # in several places: split
@example([RAW_TO_ONE], BATCH, "ann", "data", ["raw/a", "raw/ab"])
@example([RAW_TO_ONE], Sent("PUT", "PUT", headers=COPY), "ann", "other", ["x"])  # its source there
@settings(max_examples=200 * DEPTH, deadline=None)
def test_explain_says_what_a_worker_does(
    rules: list[dict[str, Any]], sent: Sent, who: str, bucket: str, keys: list[str]
) -> None:
    for rule in rules:
        if "{team}" in str(rule.get("rewrite")):
            assume("{team}" in rule["pattern"])
    model = model_of(rules)
    place = f"/{bucket}/{keys[0]}" if sent.keyed else f"/{bucket}"
    line = worker_says(model, sent, who, place, keys)
    outcome = explanation(model, sent, who, place, keys)
    assert (outcome.error.kind.code if outcome.error else "") == line["code"]
    assert outcome.operation is not None
    assert outcome.operation.name == line["operation"]
    if line["target"]:  # else it was refused before the rules were asked
        assert line["target"] in [served.target.name for served in outcome.served]
        if outcome.only is None:
            assert sent is BATCH
        won = outcome.routed[0].steps[-1].rule
        assert (won.number if won else 0) == (line["rule"] or 0)
    if outcome.error is None:
        assert line["target"]
        assert all(one.steps[-1].won for one in outcome.routed)
    if sent is BATCH and outcome.routed:
        assert [one.key for one in outcome.routed] == keys
    for one in outcome.routed:
        assert [step.won for step in one.steps[:-1]] == [False] * (len(one.steps) - 1)
        assert one.steps[-1].won is (one.decision is not None)
