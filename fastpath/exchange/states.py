"""The states of an exchange, and the events that move it: one table, `MOVES`.

    NEW -> LEASING -> SENDING -> AWAITING ----------------------> ANSWERING -> ENDED
     ^        \\__________|__________^ \\-> BUFFERING <-> ASKING ----^
     +--------(resend)---+------------------+-----------+
                         +-> BUFFERING_EARLY <-> ASKING_EARLY -> EARLY -> ENDED

Before the lease, or instead of it, a coroutine may run (RUNNING, and READING while it waits for the
body): a form's, a look-up of a bucket's region, a composed operation. It ends with a lease, with an
answer that a call of it has found (AWAITING), or by replying itself (REPLYING).

Rules: the state says all that has a beginning and an end; `WITH_TASK` and `WITH_UPSTREAM` say in
which states an exchange has a coroutine, and a connection to a target (but for a found answer that
is here as a whole). A move that the table does not name is a defect. Every state but the last can
end, which the exchange does without a look at the table.
"""

from __future__ import annotations

from enum import IntEnum

from fastpath.state_table import moves_of


class State(IntEnum):
    """The state of an exchange."""

    NEW = 0  # it has not asked for a connection
    LEASING = 1  # it waits for a connection to a target
    SENDING = 2  # the head is with the target, the body follows
    AWAITING = 3  # the whole request is with the target
    EARLY = 4  # the answer began before the request was complete: the rest of that is dropped
    ANSWERING = 5  # the answer goes to the client
    ENDED = 6
    BUFFERING = 7  # a filter keeps the answer back
    BUFFERING_EARLY = 8  # the same, while the request is not complete
    RUNNING = 9  # a coroutine runs
    READING = 10  # that coroutine waits for the body
    ASKING = 11  # the answer is here; the target is asked what it means
    ASKING_EARLY = 12  # the same, while the request is not complete
    REPLYING = 13  # the coroutine answers the client itself


class Event(IntEnum):
    """What moves an exchange from one state to another."""

    LEASE = 0
    LEASED = 1
    SENT = 2
    ANSWERED = 3
    RESEND = 4
    END = 5
    BUFFER = 6  # a filter keeps the answer back
    ASK = 7  # a filter asks the target
    RUN = 8  # a coroutine begins
    READ = 9  # it wants a piece of the body
    CAME = 10  # here it is
    REPLY = 11  # it answers the client
    TAKE_OVER = 12  # it has found an answer for the exchange to relay


# Members as globals, for the code that every request runs: Python 3.11 calls a function for
# `State.ENDED` (150 ns; heads: 25,000 instructions a request with the other enumerations).
(
    NEW,
    LEASING,
    SENDING,
    AWAITING,
    EARLY,
    ANSWERING,
    ENDED,
    BUFFERING,
    BUFFERING_EARLY,
    RUNNING,
    READING,
    ASKING,
    ASKING_EARLY,
    REPLYING,
) = State
(
    LEASE,
    LEASED,
    SENT,
    ANSWERED,
    RESEND,
    END,
    BUFFER,
    ASK,
    RUN,
    READ,
    CAME,
    REPLY,
    TAKE_OVER,
) = Event

MOVES: dict[State, dict[Event, State]] = {
    State.NEW: {
        Event.LEASE: State.LEASING,
        Event.RUN: State.RUNNING,
        Event.END: State.ENDED,
    },
    State.RUNNING: {
        Event.READ: State.READING,
        Event.LEASE: State.LEASING,
        Event.TAKE_OVER: State.AWAITING,
        Event.REPLY: State.REPLYING,
        Event.END: State.ENDED,
    },
    State.READING: {Event.CAME: State.RUNNING, Event.END: State.ENDED},
    State.LEASING: {
        Event.LEASED: State.SENDING,
        Event.SENT: State.AWAITING,  # a request without a body
        Event.END: State.ENDED,
    },
    State.SENDING: {
        Event.SENT: State.AWAITING,
        Event.ANSWERED: State.EARLY,
        Event.BUFFER: State.BUFFERING_EARLY,
        Event.RESEND: State.NEW,
        Event.END: State.ENDED,
    },
    State.AWAITING: {
        Event.ANSWERED: State.ANSWERING,
        Event.BUFFER: State.BUFFERING,
        Event.RESEND: State.NEW,
        Event.END: State.ENDED,
    },
    State.BUFFERING: {
        Event.ANSWERED: State.ANSWERING,
        Event.ASK: State.ASKING,
        Event.RESEND: State.NEW,
        Event.END: State.ENDED,
    },
    State.ASKING: {
        Event.ANSWERED: State.ANSWERING,
        Event.ASK: State.ASKING,
        Event.RESEND: State.NEW,
        Event.END: State.ENDED,
    },
    State.BUFFERING_EARLY: {
        Event.ANSWERED: State.EARLY,
        Event.ASK: State.ASKING_EARLY,
        Event.END: State.ENDED,
    },
    State.ASKING_EARLY: {
        Event.ANSWERED: State.EARLY,
        Event.ASK: State.ASKING_EARLY,
        Event.END: State.ENDED,
    },
    State.EARLY: {Event.END: State.ENDED},
    State.ANSWERING: {Event.END: State.ENDED},
    State.REPLYING: {Event.END: State.ENDED},
    State.ENDED: {},
}

# As tuples: an enum hashes itself by its name, in Python.
# States in which a coroutine of the exchange runs.
WITH_TASK = (RUNNING, READING, ASKING, ASKING_EARLY, REPLYING)
# States in which it has a connection to a target.
WITH_UPSTREAM = (SENDING, AWAITING, EARLY, ANSWERING, BUFFERING, BUFFERING_EARLY)
# States in which the client's body must wait: for a connection, or for a coroutine.
HOLDING_BODY = (NEW, LEASING, RUNNING)
# States in which the answer has begun: what fails now breaks it off.
BEGUN = (ANSWERING, EARLY, REPLYING)
# States in which the request is not complete though its answer is here.
INCOMPLETE = (EARLY, BUFFERING_EARLY, ASKING_EARLY)

after = moves_of({state: MOVES[state] for state in State}, Event)
