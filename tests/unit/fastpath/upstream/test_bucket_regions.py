"""Where buckets are remembered to be: hosts of regions, bounds, reloads."""

from __future__ import annotations

import pytest

from fastpath.routing.snapshot import Snapshot, Target, load_snapshot
from fastpath.signing.sigv4.sign import Signer
from fastpath.upstream.bucket_regions import MAX_REGIONS, BucketRegions, Destination, host_in_region
from tests.doubles.wire import document


@pytest.mark.parametrize(
    ("host", "own", "there"),
    [
        ("s3.us-east-1.amazonaws.com", "us-east-1", "s3.eu-west-1.amazonaws.com"),
        (
            "s3.dualstack.us-east-1.amazonaws.com",
            "us-east-1",
            "s3.dualstack.eu-west-1.amazonaws.com",
        ),
        ("s3.us-east-1.store.example", "us-east-1", "s3.eu-west-1.store.example"),
        ("s3.amazonaws.com", "us-east-1", "s3.eu-west-1.amazonaws.com"),
        # hosts that do not name their region have no others beside them
        ("store.example.com", "us-east-1", "store.example.com"),
        ("store.us-east-1", "us-east-1", "store.us-east-1"),
        ("127.0.0.1", "us-east-1", "127.0.0.1"),
        ("::1", "us-east-1", "::1"),
    ],
)
def test_the_host_of_another_region(host: str, own: str, there: str) -> None:
    assert host_in_region(host, own, "eu-west-1") == there


def snapshot(host: str = "s3.us-east-1.store.example", profile: str = "s3") -> Snapshot:
    made = document(profile=profile)
    tls = {"verify": True, "server_name": host, "ca_pem": None, "cert_pem": None, "key_pem": None}
    made["targets"][0] |= {"host": host, "authority": f"{host}:9000", "tls": tls}
    return load_snapshot(1, made)


def home(of: Snapshot) -> Target:
    return of.targets["first"]


def found(
    regions: BucketRegions, of: Snapshot, bucket: bytes = b"bkt", operation: str = "GetObject"
) -> Destination:
    signer = home(of).signer
    assert signer is not None
    return regions.destination(home(of), signer, bucket, operation)


def test_a_bucket_is_found_where_it_was_learnt_to_be() -> None:
    of, regions = snapshot(), BucketRegions()
    assert not regions.any_redirected
    assert regions.record_redirect(home(of), b"bkt", b"eu-west-1")
    assert regions.any_redirected
    target, signer = found(regions, of)
    assert target.authority == b"s3.eu-west-1.store.example:9000"
    assert target.route.host == "s3.eu-west-1.store.example"
    assert target.route.port == 9000
    assert target.route.tls is not None
    assert target.route.tls.server_name == "s3.eu-west-1.store.example"
    assert target.route.key != home(of).route.key
    assert target.name == home(of).name
    assert isinstance(signer, Signer)
    assert signer.region == b"eu-west-1"
    own = home(of).signer
    assert own is not None
    assert signer.equals(own)


def test_a_bucket_that_has_moved_home_is_found_there() -> None:
    of, regions = snapshot(), BucketRegions()
    regions.record_redirect(home(of), b"bkt", b"eu-west-1")
    regions.record_redirect(home(of), b"bkt", home(of).region)
    target, signer = found(regions, of)
    assert target is home(of)
    assert signer is home(of).signer


@pytest.mark.parametrize("operation", ["CreateBucket", "GetBucketLocation", "ListBuckets"])
def test_what_asks_for_a_region_stays_at_home(operation: str) -> None:
    of, regions = snapshot(), BucketRegions()
    regions.record_redirect(home(of), b"bkt", b"eu-west-1")
    assert found(regions, of, operation=operation).target is home(of)


def test_other_buckets_and_other_targets_stay_at_home() -> None:
    of, regions = snapshot(), BucketRegions()
    regions.record_redirect(home(of), b"bkt", b"eu-west-1")
    assert found(regions, of, b"other").target is home(of)
    elsewhere = snapshot("store.example", profile="generic")
    assert found(regions, elsewhere).target is home(elsewhere)


def test_regions_and_buckets_are_bounded() -> None:
    of, regions = snapshot(), BucketRegions(buckets=2)
    for number in range(MAX_REGIONS):
        assert regions.record_redirect(home(of), b"bkt-%d" % number, b"region-%d" % number)
    assert len(regions) == 2
    assert not regions.record_redirect(home(of), b"one-more", b"another-region")
    assert regions.record_redirect(home(of), b"one-more", b"region-0")


def test_a_route_that_no_snapshot_knows_is_forgotten() -> None:
    of, regions = snapshot(), BucketRegions()
    regions.record_redirect(home(of), b"bkt", b"eu-west-1")
    key = found(regions, of).target.route.key
    assert regions.keep({home(of).route.key}) == {key}
    assert regions.keep({"another"}) == set()
