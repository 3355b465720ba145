"""The last requests and errors that workers told control of."""

from __future__ import annotations

from gateway.control.recent_requests import KEPT, RecentRequests


def test_the_newest_come_first_and_errors_are_kept_apart() -> None:
    recent = RecentRequests()
    for number, status in enumerate((200, 404, 206, 0, 503)):
        recent.add({"kind": "recent", "left_out": 2, "status": status, "request_id": number})
    assert [one["request_id"] for one in recent.requests(3)] == [4, 3, 2]
    assert [one["request_id"] for one in recent.errors(10)] == [4, 3, 1]
    assert recent.requests(1) == [{"status": 503, "request_id": 4}]
    assert recent.left_out == 10


def test_so_many_are_kept_and_errors_outlive_what_went_well() -> None:
    recent = RecentRequests()
    recent.add({"status": 500, "request_id": "first"})
    for number in range(KEPT * 3):
        recent.add({"status": 200, "request_id": number})
    assert len(recent.requests(KEPT * 9)) == KEPT
    assert [one["request_id"] for one in recent.errors(9)] == ["first"]
    assert recent.requests(0) == []


def test_what_a_worker_of_another_version_sends_is_taken_as_it_is() -> None:
    recent = RecentRequests()
    recent.add({"status": "?", "left_out": "many"})
    assert (recent.requests(9), recent.errors(9), recent.left_out) == ([{"status": "?"}], [], 0)
