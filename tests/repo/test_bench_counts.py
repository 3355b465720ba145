"""How the bench reads what strace and callgrind say."""

from __future__ import annotations

from loadtest.bench import counts

STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 46.30    0.000563           5       100           write
 31.25    0.000380           3       101         1 read
  0.00    0.000000           0        12           epoll_pwait
------ ----------- ----------- --------- --------- ----------------
100.00    0.001216           4       213         1 total
"""

# A name stands once, with its number; a recursion's depth is part of it; a call's own line of
# costs follows, and so do lines of the caller's own.
CALLGRIND = """version: 1
events: Ir
fn=(1) main
10 5
cfn=(2) _PyObject_Malloc
calls=3 20
10 300
cfn=(3) malloc
calls=2 0
10 40
fn=(2)
20 7
cfn=(3)
calls=4 0
20 80
fn=(4) _PyObject_Calloc'2
30 1
cfn=(2)
calls=1 20
30 100
cfn=(4)
calls=5 30
30 2
cfn=(5) malloc_usable_size
calls=9 1
30 1

totals: 536
"""


def test_system_calls_are_counted_by_name_and_the_total_is_none() -> None:
    assert counts.system_calls(STRACE) == {"write": 100, "read": 101, "epoll_pwait": 12}


def test_calls_of_the_allocators_are_counted_by_whoever_is_called() -> None:
    assert counts.tally(CALLGRIND) == (536, 3 + 1 + 5, 2 + 4)


def test_what_is_called_most_comes_first() -> None:
    calls = {"read": 2.0, "splice": 8.25, "poll": 1.0}
    counted = {"workload": "GET", "calls": calls, "instructions": 1e5, "objects": 3, "blocks": 4}
    assert counts.table({"counted": [counted]}).endswith(
        "| GET | 100,000 | 3 | 4 | splice 8.2, read 2.0, poll 1.0 |"
    )
