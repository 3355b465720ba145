"""`s3gateway explain` against a worker: the same rule, target and error for random requests."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fastpath.routing.snapshot import load_snapshot
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
TARGETS = ("one", "two", "three")
KEYS = ("raw/a", "raw/ab", "log", "x")

REWRITES: tuple[dict[str, str], ...] = (
    {"bucket": "lake"},
    {"key_prefix": "main/"},
    {"bucket": "lake", "key_prefix": "{team}/"},
    {"strip_prefix": "raw/"},
    {"strip_prefix": "raw/", "key_prefix": "new/"},
)
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"max_size": 3},
    {"min_size": 4},
    {"content_types": ["text/plain"]},
    {"content_types": ["image/*", "text/csv"], "min_size": 1},
    {"time_range": [0, 23]},
)
FALLBACKS = st.sampled_from([["three"], ["three", "one"], ["two"]])
OF_RULES: dict[str, st.SearchStrategy[Any]] = {
    "keys": st.sampled_from([["raw/*"], ["raw/?", "log"], ["*"], ["raw/a*"], ["r*", "[!r]?"]]),
    "operations": st.sampled_from([["read"], ["write"], ["list"], ["DELETE"], ["PutObject"]]),
    "identities": st.sampled_from([["ann"], ["bob"], ["ann", "eve"]]),
    "rewrite": st.sampled_from(REWRITES),
}
ONE_PLACE = {
    "pattern": st.sampled_from(["data"] * 3 + ["data-*", "team-{team}", "*a*", "?ata", "*"]),
    "target": st.sampled_from(TARGETS),
}
PLAIN_RULES = st.fixed_dictionaries(ONE_PLACE, optional=OF_RULES)
RULES = st.fixed_dictionaries(
    ONE_PLACE,
    optional={
        **OF_RULES,
        "conditions": st.sampled_from(CONDITIONS),
        "fallback": FALLBACKS,
    },
)


class Sent(NamedTuple):
    """A request: `word` is what `explain` calls it, the rest is what a client sends."""

    word: str
    method: str
    query: str = ""
    keyed: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    size: int = 0


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
    Sent("PUT", "PUT", headers=(("content-type", "text/plain; charset=utf-8"),), size=5),
    Sent("PUT", "PUT", headers=(("content-type", "image/png"),), size=2),
    Sent("PUT", "PUT", headers=(("if-none-match", "*"),), size=2),
    Sent("PUT", "PUT", headers=(("if-match", '"1"'),), size=5),
    Sent("PutObjectAcl", "PUT", "acl"),
    Sent("GET", "GET", "versionId=1"),
    Sent("HEAD", "HEAD", keyed=False),
    Sent("GET", "GET", "policy", keyed=False),
    Sent("GET", "GET", "versions&prefix=raw%2F", keyed=False),
    Sent("GET", "GET", "uploads", keyed=False),
    Sent("GET", "GET", "uploads&prefix=raw%2F", keyed=False),
    Sent("DeleteObjects", "POST", "delete", keyed=False),
)
SORTED = {"lists": ["encoding-type", "sorted", "start-after"]}
RAW_TO_ONE = {"pattern": "data", "target": "one", "keys": ["raw/*"]}
SMALL_TO_TWO = {
    "pattern": "data",
    "target": "two",
    "rewrite": {"bucket": "lake"},
    "conditions": {"max_size": 3},
}
DELETION, LIST_OF_ALL, BATCH = SENT[4], SENT[7], SENT[-1]


def configuration(rules: list[dict[str, Any]], behind: str = "") -> str:
    """JSON is YAML."""
    pair = {"access_key_id": "AKIDTARGET", "secret_access_key": "hidden"}
    identities: list[dict[str, Any]] = [
        {"name": who, "access_key_id": f"AKID{who.upper()}", "secret_access_key": f"hidden-{who}"}
        for who in PEOPLE
    ]
    identities[2]["allow"] = [{"actions": ["read", "list"]}]
    targets = {
        name: {"endpoint": f"http://{name}.test", "profile_overrides": SORTED, **pair}
        for name in TARGETS
    }
    routing = {"default_target": "two", "rules": rules, **({"fallback": behind} if behind else {})}
    return json.dumps({"auth": {"identities": identities}, "targets": targets, "routing": routing})


def model_of(rules: list[dict[str, Any]], behind: str = "") -> Config:
    """The configuration of these rules, without those that have an error."""
    loaded = load({"config": "x.yaml"}, {}, configuration(rules, behind))
    if loaded.model is not None:
        return loaded.model
    paths = (re.match(r"routing\.rules\[(\d+)\]", problem.path) for problem in loaded.problems)
    wrong = {int(path[1]) for path in paths if path}
    if not wrong:  # a rule takes everything, or the fallback is the default target
        assert behind, loaded.problems
        return model_of(rules)
    return model_of([rule for index, rule in enumerate(rules) if index not in wrong], behind)


EMPTY_LIST = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Heard(NamedTuple):
    """A request that a target got."""

    target: str
    method: str


def answer(asked: bytes) -> bytes:
    """What a target says that has everything."""
    line = asked.partition(b"\r\n")[0]
    if line.startswith(b"GET") and (b"prefix=" in line or b"list-type" in line):
        return ok(EMPTY_LIST)
    if line.startswith(b"POST"):
        keys = re.findall(rb"<Key>.*?</Key>", asked)
        rows = b"".join(b"<Deleted>%b</Deleted>" % key for key in keys)
        return ok(b"<DeleteResult>%b</DeleteResult>" % rows)
    return ok(b"", 'ETag: "1"')


def worker_says(
    model: Config, sent: Sent, who: str, place: str, keys: list[str]
) -> tuple[dict[str, Any], list[Heard]]:
    """The line of the access log, and what targets heard."""
    pair = {"access_key_id": "AKIDTARGET", "secret_access_key": "hidden", "token": None}
    rig = Rig()
    document = compile_snapshot(model, dict.fromkeys(model.targets, pair))
    rig.worker.install(load_snapshot(2, {"instance": "rig", **document}))
    body = b"x" * sent.size
    if sent.word == "DeleteObjects":
        body = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys).encode()
        body = b"<Delete>%b</Delete>" % body
    client = RawClient("localhost", 80, f"AKID{who.upper()}", f"hidden-{who}")
    headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), **dict(sent.headers)}
    target = f"{place}?{sent.query}" if sent.query else place
    peer = rig.connect()
    peer.says(client.head(sent.method, target.encode(), len(body), headers) + body)
    heard = []
    while asked := [(one, text) for one in rig.targets if (text := one.take())]:
        for one, text in asked:  # several times, if a copy asks or a chain is looked along
            host = re.search(rb"(?i)host: (\w+)\.test", text)
            assert host is not None
            heard.append(Heard(host[1].decode(), text.partition(b" ")[0].decode()))
            one.says(answer(text))
    assert not rig.defects
    (line,) = rig.lines("access")
    return line, heard


def explanation(model: Config, sent: Sent, who: str, place: str, keys: list[str]) -> Outcome:
    bucket, _, key = place[1:].partition("/")
    headers = [f"{name}: {value}" for name, value in sent.headers]
    if sent.method == "PUT":
        headers.append(f"content-length: {sent.size}")
    request = request_of(place_of(bucket, key), sent.word, sent.query, headers)
    callers = snapshot_of(model).callers.values()
    caller = next(caller for caller in callers if caller.name == who)
    return try_out(request, caller, model, Circumstances(tuple(keys)))


@given(
    rules=st.lists(RULES, max_size=5),
    behind=st.sampled_from(["", "", "three", "one"]),
    sent=st.sampled_from(SENT),
    who=st.sampled_from(PEOPLE),
    bucket=st.sampled_from(["data"] * 3 + ["data-x", "team-red", "other"]),
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3),
)
@example([RAW_TO_ONE], "", LIST_OF_ALL, "ann", "data", ["x"])  # merged
@example([RAW_TO_ONE, {"pattern": "data", "target": "one"}], "", LIST_OF_ALL, "ann", "data", ["x"])
@example([RAW_TO_ONE], "", BATCH, "ann", "data", ["x", "raw/a"])  # in several places: split
@example([RAW_TO_ONE], "", BATCH, "ann", "data", ["raw/a", "raw/ab"])
@example([RAW_TO_ONE], "", Sent("PUT", "PUT", headers=COPY), "ann", "other", ["x"])  # its source
@example([SMALL_TO_TWO], "", DELETION, "ann", "data", ["raw/a"])  # twice at one target
@settings(max_examples=200 * DEPTH, deadline=None)
def test_explain_says_what_a_worker_does(
    rules: list[dict[str, Any]], behind: str, sent: Sent, who: str, bucket: str, keys: list[str]
) -> None:
    for rule in rules:
        if "{team}" in str(rule.get("rewrite")):
            assume("{team}" in rule["pattern"])
    model = model_of(rules, behind)
    place = f"/{bucket}/{keys[0]}" if sent.keyed else f"/{bucket}"
    line, heard = worker_says(model, sent, who, place, keys)
    outcome = explanation(model, sent, who, place, keys)
    assert (outcome.error.kind.code if outcome.error else "") == line["code"]
    assert outcome.operation is not None
    assert outcome.operation.name == line["operation"]
    if line["target"]:  # else it was refused before the rules were asked
        assert line["target"] in [served.target.name for served in outcome.served]
        won = next(step.rule for step in outcome.routed[0].steps if step.won)
        assert (won.number if won else 0) == (line["rule"] or 0)
    if outcome.error is None:
        assert line["target"]
        check_targets(outcome, sent, heard)
    if sent is BATCH and outcome.routed:
        assert [one.key for one in outcome.routed] == keys
    for one in outcome.routed:
        assert any(step.won for step in one.steps) is (one.decision is not None)


def check_targets(outcome: Outcome, sent: Sent, heard: list[Heard]) -> None:
    """The targets that heard something are those that the explanation names."""
    names = [served.target.name for served in outcome.served]
    (first, *_) = outcome.routed
    places = {place.what: place.decision.target for place in first.chain}
    deleted = [one.target for one in heard if one.method == "DELETE"]
    match outcome.operation and outcome.operation.name:
        case "DeleteObject":
            # One target may have several places of a chain, in buckets of its own.
            order = [place.decision.target for place in first.chain] or names
            assert deleted[: len(order)] == order[::-1]
            assert set(deleted[len(order) :]) <= set(order[1:])  # what was written meanwhile
        case "PutObject" | "CopyObject":
            assert [one.target for one in heard if one.method == "PUT"] == names
            removed = [
                place.decision.target for place in first.chain if "is removed here" in place.what
            ]
            assert sorted(deleted) == sorted(removed)
        case "ListObjects" | "ListObjectsV2" | "DeleteObjects":
            assert {one.target for one in heard} == set(names)
        case _:
            assert {one.target for one in heard} == {names[0]}  # which has everything
    if len(names) > 1 and sent is not BATCH:
        assert len(places) > 0
