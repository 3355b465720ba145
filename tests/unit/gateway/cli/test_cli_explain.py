"""`s3gateway explain` does what the gateway does, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest

from fastpath.routing.asked import Asked
from fastpath.s3.operations import OPERATIONS, Operation
from gateway.config import load
from gateway.explain import trial
from gateway.explain.request import length_headers, moment_of, place_of, request_of
from gateway.explain.trial import EVERYBODY, Circumstances, try_out

FULL = """
auth:
  identities:
    - {name: reader, access_key_id: A, secret_access_key: hidden, allow: [{actions: [read]}]}
    - {name: writer, access_key_id: W, secret_access_key: hidden, allow: [{actions: [write]}]}
s3: {endpoint: "http://127.0.0.1:9000", access_key_id: B, secret_access_key: hidden}
lakefs: {endpoint: "http://127.0.0.1:8000", access_key_id: C, secret_access_key: hidden}
routing:
  rules:
    - {pattern: "x-*", operations: [write], target: lakefs, description: "versioned\\twrites"}
    - {pattern: "x-*", target: s3}
    - {pattern: "repo*", target: lakefs}
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    file = tmp_path / "full.yaml"
    file.write_text(FULL)
    return file


def test_explain_prints_the_rules_tried_and_the_winner(run, full: Path) -> None:
    result = run("explain", "-c", full, "x-a", "some/key", "--operation", "HeadObject")
    assert result.stdout.splitlines() == [
        "  rule 1 (line 10) x-*: HeadObject is not among its operations  # versioned writes",
        "> rule 2 (line 11) x-*: matches: target s3",
        "target s3: http://127.0.0.1:9000 (profile s3)",
    ]


def test_explain_says_when_no_rule_matches(run, full: Path) -> None:
    lines = run("explain", "-c", full, "other").stdout.splitlines()
    assert lines[-3:] == [
        "> no rule matched: default target s3",
        "target s3: http://127.0.0.1:9000 (profile s3)",
        "note: no key is given: main/example is looked at",
    ]


def test_explain_says_whose_buckets_are_listed(run, full: Path) -> None:
    command = ("explain", "-c", full, "--operation", "ListBuckets")
    lists = "> one list of the buckets of these targets, each where a read of it would go"
    lines = ["target lakefs: http://127.0.0.1:8000 (profile lakefs)"]
    lines.append("target s3: http://127.0.0.1:9000 (profile s3)")
    assert sorted(run(*command).stdout.splitlines()) == [lists, *lines]
    report = json.loads(run(*command, "--json").stdout)
    assert (report["target"], sorted(report["targets"])) == (None, ["lakefs", "s3"])
    refused = run(*command, "--identity", "reader").stdout
    assert "note: identity reader is not allowed ListBuckets" in refused
    assert "refused: 403 AccessDenied: Access Denied" in refused
    assert run("explain", "-c", full).exit_code == 2


def test_explain_says_when_one_target_lists_its_buckets(run, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text('s3: {endpoint: "http://127.0.0.1:9", access_key_id: B, secret_access_key: h}')
    command = ("explain", "-c", file, "--operation", "ListBuckets")
    assert "> no rule matched: default target s3" in run(*command).stdout.splitlines()
    assert json.loads(run(*command, "--json").stdout)["targets"] == ["s3"]


def test_explain_says_what_would_stop_the_request(run, full: Path) -> None:
    command = ("explain", "-c", full, "x-a", "--identity", "reader", "--operation")
    assert run(*command, "UploadPart").stdout.splitlines()[-3:] == [
        "note: UploadPart goes where its upload went: routed as CreateMultipartUpload",
        "note: identity reader is not allowed UploadPart on x-a",
        "refused: 403 AccessDenied: Access Denied",
    ]


def test_explain_shows_the_host_of_a_bucket_that_has_one(run, full: Path) -> None:
    store = "{endpoint: 'http://store.test', addressing: virtual, access_key_id: A, "
    text = full.read_text() + f"targets: {{named: {store}secret_access_key: hidden-4}}}}\n"
    full.write_text(text.replace("target: s3", "target: named"))
    for bucket, host in (("x-a", "x-a.store.test"), ("x-A", "store.test")):
        line = run("explain", "-c", full, bucket, "k").stdout.splitlines()[-1]
        assert line == f"target named: http://{host} (profile generic)"


def test_explain_as_json(run, full: Path) -> None:
    result = run("explain", "-c", full, "x-a", "k", "--operation", "PutObject", "--format", "json")
    report = json.loads(result.stdout)
    assert (report["target"], report["endpoint"]) == ("lakefs", "http://127.0.0.1:8000")
    assert [rule["won"] for rule in report["rules"]] == [True]


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--operation", "getobject"], "did you mean GetObject?"),
        (["--operation", "put"], "did you mean PUT?"),
        (["--operation", "frobnicate"], "name one, for example GetObject or PUT"),
        (["--operation", "write"], "is a class of operations: name one of them"),
        (["--header", "nonsense"], "is no header: write NAME: VALUE"),
        (["--identity", "nobody"], "Known: reader, writer"),
    ],
)
def test_explain_knows_its_words(run, full: Path, flags: list[str], hint: str) -> None:
    result = run("explain", "-c", full, "b", *flags)
    assert result.exit_code == 2
    assert hint in result.stderr


PUT = ["x-a", "main/k", "--operation", "PUT"]

# Arguments; the operation that was found, the target, and the error's code (None: it goes).
CASES: dict[str, tuple[list[str], str | None, str | None, str | None]] = {
    "s3 address": (["s3://x-a/some/key"], "GetObject", "s3", None),
    "ARN": (["arn:aws:s3:::repo/main/k"], "GetObject", "lakefs", None),
    "URL": (["http://gw.test:8080/x-a/k?versionId=3"], "GetObject", "s3", None),
    "presigned URL": (["http://gw/x-a/k?X-Amz-Signature=0&X-Amz-Date=1"], "GetObject", "s3", None),
    "climbs": (["x-a", "../up"], None, None, "InvalidURI"),
    "climbs nowhere": (["x-a", "a/../b"], "GetObject", "s3", None),
    "climbs by address": (["s3://x-a/../../etc"], None, None, "InvalidURI"),
    "no bucket": (["bad bucket", "k"], None, None, "InvalidBucketName"),
    "a bucket of one letter": (["x", "k"], None, None, "InvalidBucketName"),
    "two words in one": (["x-a/k"], None, None, "InvalidBucketName"),
    "key too long": (["x-a", "k" * 1025], None, None, "KeyTooLongError"),
    "read without branch": (["repo", "nobranch"], "GetObject", "lakefs", "NoSuchKey"),
    "write without branch": (
        ["repo", "nobranch", "--operation", "PutObject"],
        "PutObject",
        "lakefs",
        "InvalidRequest",
    ),
    "PUT": (["x-a", "main/k", "--operation", "PUT"], "PutObject", "lakefs", None),
    "PUT of an acl": (
        ["x-a", "k", "--operation", "PUT", "--query", "acl"],
        "PutObjectAcl",
        "s3",
        None,
    ),
    "POST of an object": (["x-a", "k", "--operation", "POST"], None, None, "MethodNotAllowed"),
    "not allowed": (
        ["x-a", "k", "--operation", "PUT", "--identity", "reader"],
        "PutObject",
        "lakefs",
        "AccessDenied",
    ),
    "a header that needs more": (
        [*PUT, "--identity", "writer", "--header", "x-amz-acl: public-read"],
        "PutObject",
        "lakefs",
        "AccessDenied",
    ),
    "what lakeFS lacks": (
        ["repo", "main/k", "--operation", "PutObjectAcl"],
        "PutObjectAcl",
        "lakefs",
        "NotImplemented",
    ),
    "two sub-resources": (["x-a", "k", "--query", "acl&tagging"], None, None, "InvalidArgument"),
    "unknown parameter": (["x-a", "k", "--query", "novelty"], "Unclassified", "s3", None),
    "copy from another target": (
        ["x-a", "main/k", "--operation", "CopyObject", "--header", "x-amz-copy-source: /other/k"],
        "CopyObject",
        "lakefs",
        None,
    ),
    "a form": (["x-a", "main/k", "--operation", "PostObject"], "PutObject", "lakefs", None),
    "a preflight": (["x-a", "k", "--operation", "OPTIONS"], "Preflight", None, "AccessForbidden"),
    "a list": (["repo", "main/", "--operation", "ListObjectsV2"], "ListObjectsV2", "lakefs", None),
    "the buckets": (["any", "--operation", "ListBuckets"], "ListBuckets", None, None),
    "a bad header": (["x-a", "k", "--header", "a b: c"], None, None, "BadRequest"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"D6 {case}")
def test_explain_does_what_the_gateway_does(run, full: Path, case: str) -> None:
    words, operation, target, code = CASES[case]
    done = run("explain", "-c", full, *words, "--format", "json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    refused = report["refused"]
    assert (report["operation"], report["target"]) == (operation, target)
    assert (refused and refused["code"]) == code
    text = run("explain", "-c", full, *words).stdout
    assert ("refused: " in text) is (code is not None)
    assert "hidden" not in text


def test_explain_says_where_the_source_of_a_copy_is(run, full: Path) -> None:
    copy = ["--operation", "CopyObject", "--header"]
    for source, told in (
        ("other/k", "on target s3 (the default target): the gateway reads there and writes here"),
        ("repo/main/k", "on target lakefs (rule 3): the target copies"),
    ):
        done = run("explain", "-c", full, "x-a", "main/k", *copy, f"x-amz-copy-source: {source}")
        assert f"the source {source} is {told}" in done.stdout


def test_the_request_of_an_operation_is_that_operation(full: Path) -> None:
    """D6: every operation's example is classified as what it is an example of."""
    model = load({"config": str(full)}, {}).model
    assert model is not None

    def found(operation: Operation) -> str | None:
        request = request_of(place_of("x-a", "main/k"), operation.name, "", ())
        outcome = try_out(request, EVERYBODY, model, Circumstances(("main/k",)))
        return outcome.operation and outcome.operation.name

    every = [*dict.fromkeys(OPERATIONS.values())]
    other = {one.name: found(one) for one in every if found(one) != one.name}
    assert len(every) > 100
    assert other == {"PostObject": "PutObject"}


def test_a_bucket_and_a_key_in_one_word_get_a_hint(run, full: Path) -> None:
    """D6: the error alone would not help who typed it."""
    text = run("explain", "-c", full, "x-a/k").stdout
    assert "note: bucket and key are two words, or one address: s3://bucket/key\n" in text
    for words, says in (
        (["s3://x-a/k", "k"], "the key is given twice"),
        (["ftp://x-a/k"], "ftp:// is no address of S3"),
    ):
        done = run("explain", "-c", full, *words)
        assert (done.exit_code, says in done.stderr) == (2, True)


KEYED = (
    FULL.partition("routing:")[0]
    + """routing:
  rules:
    - {pattern: data, keys: ["raw/*"], target: lakefs, rewrite: {bucket: lake, key_prefix: main/}}
    - {pattern: data, target: s3}
    - {pattern: "team-{team}", target: s3, rewrite: {bucket: teams, key_prefix: "{team}/"}}
"""
)


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    file = tmp_path / "keyed.yaml"
    file.write_text(KEYED)
    return file


def test_explain_shows_the_name_that_a_target_has(run, keyed: Path) -> None:
    assert run("explain", "-c", keyed, "team-red", "k").stdout.splitlines()[2:] == [
        "> rule 3 (line 12) team-{team}: matches: target s3",
        "  team-red/k is teams/red/k there",
        "target s3: http://127.0.0.1:9000 (profile s3)",
    ]
    listed = run("explain", "-c", keyed, "data", "--prefix", "raw/a").stdout.splitlines()
    assert listed[:2] == [
        "> rule 1 (line 10) data: matches: target lakefs",
        "  data/raw/a is lake/main/raw/a there",
    ]
    head = run("explain", "-c", keyed, "team-red", "--operation", "HeadBucket", "--json").stdout
    assert json.loads(head)["upstream"] == {"bucket": "teams", "key": ""}


def test_explain_shows_the_targets_of_a_merged_list(run, keyed: Path) -> None:
    assert run("explain", "-c", keyed, "data", "--prefix", "").stdout.splitlines() == [
        "> rule 1 (line 10) data: some keys with this prefix match its keys: target lakefs",
        "> rule 2 (line 11) data: matches: target s3",
        "  place 1: target lakefs as lake/main/",
        "  place 2: target s3",
        "target lakefs: http://127.0.0.1:8000 (profile lakefs)",
        "target s3: http://127.0.0.1:9000 (profile s3)",
        "note: each of these lists its own keys, and the client gets one list: of each key what a "
        "read would find",
    ]


def test_explain_shows_which_key_of_a_batch_fails_alone(run, keyed: Path) -> None:
    command = ("explain", "-c", keyed, "data", "--operation", "DeleteObjects")
    said = run(*command, "--key", "x", "--key", "../x").stdout.splitlines()
    assert said[-1] == "note: key ../x fails alone: InvalidURI: Couldn't parse the specified URI."
    assert not [line for line in said if line.startswith(("note: key x", "refused"))]


def test_explain_shows_where_each_key_of_a_batch_goes(run, keyed: Path) -> None:
    command = ("explain", "-c", keyed, "data", "x", "--operation", "DeleteObjects")
    assert run(*command, "--key", "raw/&").stdout.splitlines() == [
        "key x:",
        "  rule 1 (line 10) data: the key does not match its keys",
        "> rule 2 (line 11) data: matches: target s3",
        "key raw/&:",
        "> rule 1 (line 10) data: matches: target lakefs",
        "  data/raw/& is lake/main/raw/& there",
        "target s3: http://127.0.0.1:9000 (profile s3)",
        "target lakefs: http://127.0.0.1:8000 (profile lakefs)",
        "note: the keys are in 2 places: each gets a DeleteObjects of its own keys, and the client "
        "one answer",
    ]
    report = json.loads(run(*command, "--key", "raw/&", "--json").stdout)
    assert (report["target"], report["endpoint"], report["refused"]) == (None, None, None)
    assert [one["target"] for one in report["keys"]] == ["s3", "lakefs"]
    report = json.loads(run(*command, "--key", "y", "--json").stdout)
    assert [(one["key"], one["rule"], one["target"]) for one in report["keys"]] == [
        ("x", 2, "s3"),
        ("y", 2, "s3"),
    ]
    assert (report["target"], report["refused"]) == ("s3", None)


def asked_of(full: Path, words: dict[str, object]) -> Asked:
    """What the rules are asked about a PutObject."""
    model = load({"config": str(full)}, {}).model
    assert model is not None
    headers = [f"{name}: {value}" for name, value in words.items()]
    request = request_of(place_of("x-a", "main/k"), "PutObject", "", headers)
    with patch.object(trial, "steps_of", side_effect=trial.steps_of) as steps:
        outcome = try_out(request, EVERYBODY, model, Circumstances(at=5.0))
    assert outcome.error is None
    asked = steps.call_args.args[2]
    assert isinstance(asked, Asked)
    return asked


def test_rules_are_asked_about_size_type_and_time(full: Path) -> None:
    asked = asked_of(full, {"content-length": 7, "content-type": "text/plain"})
    assert (asked.size, asked.content_type, asked.time) == (7, b"text/plain", 5.0)
    streamed = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    more = length_headers("7", [f"{name}: {value}" for name, value in streamed.items()])
    name, _, value = more[0].partition(": ")
    assert asked_of(full, {**streamed, name: value}).size == 7


def test_options_say_what_a_header_would(run, full: Path) -> None:
    words = ["--size", "7KiB", "--content-type", "text/plain", "--method", "PUT"]
    with patch.object(trial, "steps_of", side_effect=trial.steps_of) as steps:
        done = run("explain", "-c", full, "x-a", "main/k", *words, "--at", "1970-01-01T01:00+01:00")
    assert "refused" not in done.stdout
    asked = steps.call_args.args[2]
    assert asked[0:1] + asked[4:7] == ("PutObject", 7168, b"text/plain", 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("1970-01-01", 0.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:01", 60.0),
    ],
)
def test_a_time_may_be_written_in_several_ways(text: str, seconds: float) -> None:
    assert moment_of(text) == seconds


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--at", "soon"], "'soon' is no time"),
        (["--at", "1900-01-01"], "is no time"),
        (["--at", "9" * 30], "is no time"),
        (["--operation", "GetObject", "--method", "GET"], "give an operation or a method"),
        (["--key", "a", "--key", "b"], "only DeleteObjects has several"),
        (["--prefix", "a", "--key", "b"], "a list has a prefix, and no key besides"),
        (["--size", "1", "--header", "Content-Length: 2"], "given twice: by --size"),
        (["--size", "-1"], "--size '-1' must be bytes, such as 104857600 or 100MiB"),
    ],
)
def test_explain_says_which_options_do_not_go_together(
    run, full: Path, flags: list[str], hint: str
) -> None:
    done = run("explain", "-c", full, "x-a", *flags)
    assert done.exit_code == 2
    assert hint in done.stderr


CHAINS = (
    FULL.partition("routing:")[0]
    + """routing:
  default_target: s3
  rules:
    - {pattern: sizes, target: lakefs, conditions: {max_size: 1KiB, ZONE}}
    - {pattern: moved, target: lakefs, rewrite: {bucket: lake, key_prefix: main/}, fallback: s3,
       fallback_on: ["404", "5xx", timeout]}
    - {pattern: kept, target: s3, fallback: lakefs}
""".replace("ZONE", "time_range: [22, 5], timezone: Europe/Berlin")
)
LAKEFS = "target lakefs: http://127.0.0.1:8000 (profile lakefs)"
S3 = "target s3: http://127.0.0.1:9000 (profile s3)"


@pytest.fixture
def chains(tmp_path: Path) -> Path:
    file = tmp_path / "chains.yaml"
    file.write_text(CHAINS)
    return file


def lines(run, chains: Path, *words: str) -> list[str]:
    """What is said, without the rules of other buckets."""
    said = run("explain", "-c", chains, *words).stdout.splitlines()
    return [line for line in said if "bucket does not match the pattern" not in line]


def test_explain_says_which_condition_a_write_does_not_meet(run, chains: Path) -> None:
    """Its time is that of the rule's zone, and what would hide the object is removed."""

    def put(size: int, at: str) -> list[str]:
        words = ("--operation", "PutObject", "--size", str(size), "--at", at)
        return lines(run, chains, "sizes", "main/k", *words)

    assert put(1024, "2026-11-30T21:00Z") == [
        "> rule 1 (line 11) sizes: matches, its conditions hold: target lakefs",
        "  place 1: target lakefs, candidate: written here",
        "  place 2: target s3, candidate: an object of this key stays here, and no read finds it",
        LAKEFS,
    ]
    large, late = put(1025, "2026-11-30T21:00Z"), put(1024, "2026-11-30T20:59Z")
    assert "its size (1025 bytes) is above max_size 1024" in large[0]
    assert "it is 21:00, not within time_range [22, 5]" in late[0]
    assert (
        large[1:]
        == late[1:]
        == [
            "> no rule matched: default target s3",
            "  place 1: target lakefs, candidate: an object of this key is removed here before the "
            "write is acknowledged",
            "  place 2: target s3, candidate: written here",
            S3,
        ]
    )


def test_explain_says_that_an_upload_has_no_size(run, chains: Path) -> None:
    begun = lines(run, chains, "sizes", "main/k", "--operation", "CreateMultipartUpload")
    assert begun[0].endswith("sizes: its size (unknown) is above max_size 1024")
    assert "an object of this key is removed here when the upload is completed" in begun[2]
    assert begun[3] == "  place 2: target s3, candidate: the upload is here"
    listed = lines(run, chains, "sizes", "--operation", "ListMultipartUploads")
    assert listed[0].endswith(
        "sizes: an upload has no known size when it begins, which is above its max_size"
    )
    assert listed[1:3] == ["> no rule matched: default target s3", S3]
    part = lines(run, chains, "sizes", "main/k", "--operation", "UploadPart", "--size", "1")
    assert part[0] == begun[0]


def test_explain_says_by_which_clock_hours_count(run, chains: Path) -> None:
    words = ("sizes", "main/k", "--operation", "PutObject", "--size", "1")
    note = "note: rule 1 has no timezone: its hours are those of the machine where a worker runs; "
    assert not [line for line in lines(run, chains, *words) if line.startswith(note)]
    chains.write_text(CHAINS.replace(", timezone: Europe/Berlin", ""))
    assert lines(run, chains, *words)[-1] == f"{note}here, of this one"
    assert not [line for line in lines(run, chains, *words[:2]) if line.startswith(note)]


def test_explain_shows_the_places_of_a_chain_in_their_order(run, chains: Path) -> None:
    assert lines(run, chains, "moved", "k") == [
        "> rule 2 (line 12) moved: matches: target lakefs, then s3",
        "  place 1: target lakefs as lake/main/k, candidate: a read looks here first",
        "  place 2: target s3, fallback: then here, after 404 or 5xx or timeout",
        LAKEFS,
        S3,
    ]
    assert lines(run, chains, "sizes", "main/k", "--operation", "DeleteObject")[:4] == [
        "> rule 1 (line 11) sizes: may have it: target lakefs",
        "> no rule matched: default target s3",
        "  place 1: target lakefs, candidate: then here",
        "  place 2: target s3, candidate: the key is deleted here first",
    ]
    put = lines(run, chains, "moved", "k", "--operation", "PutObject", "--size", "1")
    assert put == [
        "> rule 2 (line 12) moved: matches: target lakefs",
        "  place 1: target lakefs as lake/main/k, candidate: written here",
        "  place 2: target s3, fallback: an object of this key stays here, and no read finds it",
        LAKEFS,
    ]


def test_explain_shows_a_chain_as_json(run, chains: Path) -> None:
    shown = json.loads(run("explain", "-c", chains, "moved", "k", "--json").stdout)
    assert (shown["target"], shown["targets"]) == (None, ["lakefs", "s3"])
    assert shown["moves_on"] == ["404", "5xx", "timeout"]
    assert shown["chain"] == shown["keys"][0]["chain"]
    first, second = shown["chain"]
    assert first["upstream"] == {"bucket": "lake", "key": "main/k"}
    assert (first["role"], first["rule"], first["target"]) == ("candidate", 2, "lakefs")
    assert (second["role"], second["target"]) == ("fallback", "s3")
    alone = json.loads(run("explain", "-c", chains, "other", "k", "--json").stdout)
    assert (alone["chain"], alone["moves_on"], alone["target"]) == ([], [], "s3")


def test_explain_says_what_the_first_place_alone_gets(run, chains: Path) -> None:
    for words in (["k", "--query", "versionId=1"], ["--operation", "GetBucketVersioning"]):
        said = lines(run, chains, "kept", *words)
        assert said[1:] == [
            "  place 1: target s3, candidate: the request goes here alone",
            "  place 2: target lakefs, fallback: is not asked",
            S3,
            "note: a version, or what is about the bucket, concerns the first place alone",
        ]
    several = lines(run, chains, "sizes", "main/k", "--query", "versionId=1")
    assert several[2:4] == [
        "  place 1: target lakefs, candidate",
        "  place 2: target s3, candidate",
    ]
    assert several[-1].startswith("refused: 501 NotImplemented: The objects of this bucket are on")


def test_explain_says_that_an_object_is_looked_for_first(run, chains: Path) -> None:
    words = ("--operation", "PutObject", "--header", "if-none-match: *")
    refused = lines(run, chains, "sizes", "main/k", *words)
    assert refused[-1].startswith("refused: 501 NotImplemented: The objects of this bucket are on")
    assert lines(run, chains, "moved", "k", *words)[-1] == (
        "note: its condition is about the object that a read finds; here as if none did"
    )
    tagged = lines(run, chains, "sizes", "main/k", "--operation", "PutObjectAcl")
    assert "  place 1: target lakefs, candidate: the object is looked for here first" in tagged
    assert "note: it goes where a read finds the object" in tagged
    assert "note: a target of profile lakefs has no PutObjectAcl" in tagged


def test_explain_says_where_a_copy_goes_and_where_its_source_is(run, chains: Path) -> None:
    words = ("sizes", "main/k", "--operation", "CopyObject", "--at", "2026-11-30T21:00Z")
    source = ("--header", "x-amz-copy-source: moved/k")
    unknown = lines(run, chains, *words, *source)
    assert unknown[0].endswith("sizes: its size (unknown) is above max_size 1024")
    assert unknown[-2:] == [
        "note: the source moved/k is looked for on target lakefs (rule 2), then target s3 "
        "(fallback), each after 404 or 5xx or timeout of that before: the gateway reads there and "
        "writes here",
        "note: size and type are those of the source, which is looked at first; here --size and "
        "--content-type say them",
    ]
    small = lines(run, chains, *words, *source, "--size", "1")
    assert small[0].endswith("sizes: matches, its conditions hold: target lakefs")


def test_explain_says_who_does_not_reach_a_place(run, chains: Path) -> None:
    """Off loopback a target's own key pair reaches that target alone."""
    text = CHAINS.partition("s3: {")
    chains.write_text(f"router: {{listen_address: '0.0.0.0:9'}}\n{text[1]}{text[2]}")
    note = "note: identity lakefs does not reach target s3: AccessDenied"
    who = ("moved", "k", "--identity", "lakefs")
    for words, when in (
        ([], "for what is looked for there"),
        (["--operation", "DeleteObject"], "whatever the others say"),
        (["--operation", "DeleteObjects"], "for its keys"),
    ):
        assert lines(run, chains, *who, *words)[-1] == f"{note} {when}"


def test_explain_shows_the_chains_of_a_batch(run, chains: Path) -> None:
    said = lines(run, chains, "moved", "k", "--operation", "DeleteObjects", "--key", "m")
    assert said[:4] == [
        "key k:",
        "> rule 2 (line 12) moved: matches: target lakefs, then s3",
        "  place 1: target lakefs as lake/main/k, candidate: then here",
        "  place 2: target s3, fallback: the key is deleted here first",
    ]
    assert said[-1] == (
        "note: the keys are in 2 places: each gets a DeleteObjects of its own keys, the last of a "
        "chain first, and the client one answer"
    )


def test_explain_says_which_target_keeps_a_list_from_being_merged(run, chains: Path) -> None:
    store = "{endpoint: 'http://store.test', access_key_id: A, secret_access_key: hidden-4}"
    rule = "- {pattern: kept, keys: [raw/*], target: store}\n    - {pattern: kept"
    text = CHAINS.replace("- {pattern: kept", rule)
    chains.write_text(f"{text}targets: {{store: {store}}}\n")
    assert lines(run, chains, "kept", "--prefix", "")[-1] == (
        "note: target store is not known to sort its lists, so that they cannot be merged: the "
        "client gets 501 NotImplemented"
    )
