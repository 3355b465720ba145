"""The states of a client's connection, and the events that move it: one table, `MOVES`.

    IDLE ---> HEAD ---> SERVING ---> DISCARDING
     ^ |                 ^  |             |
     | +-----------------+  |             |
     +----------------------+-------------+
     +--> QUEUED, and back when its turn has come

Every state but QUEUED can end, which sends the client the end of the stream, and every state can
close.

Rules: a move that the table does not name is a defect. From ENDING on no request is served. Three
facts stand beside the state, because each may hold in any: the client has sent the end of its
stream, it takes no more bytes, and bytes wait that were received ahead.
"""

from __future__ import annotations

from enum import IntEnum

from fastpath.state_table import moves_of


class State(IntEnum):
    """The state of a client's connection."""

    IDLE = 0  # no request has begun
    HEAD = 1  # a head has begun
    QUEUED = 2  # requests have come, and wait for their turn (`pipelining`)
    SERVING = 3  # a request was taken; its answer is not complete
    DISCARDING = 4  # the answer is complete, the request is not: the rest of it is discarded
    ENDING = 5  # no more answers: what comes is discarded until the client ends, too
    CLOSED = 6  # reset, or gone


class Event(IntEnum):
    """What moves a connection from one state to another."""

    BEGUN = 0  # the first byte of a head came
    TAKEN = 1  # a head is complete
    QUEUE = 2
    TURN = 3
    ANSWERED = 4
    ANSWERED_EARLY = 5  # before the request was read
    READ = 6  # the rest of that request
    END = 7
    CLOSE = 8


# Members as globals: see `exchange.states`.
IDLE, HEAD, QUEUED, SERVING, DISCARDING, ENDING, CLOSED = State
BEGUN, TAKEN, QUEUE, TURN, ANSWERED, ANSWERED_EARLY, READ, END, CLOSE = Event

MOVES: dict[State, dict[Event, State]] = {
    State.IDLE: {
        Event.BEGUN: State.HEAD,
        Event.TAKEN: State.SERVING,
        Event.QUEUE: State.QUEUED,
        Event.END: State.ENDING,
        Event.CLOSE: State.CLOSED,
    },
    State.HEAD: {
        Event.TAKEN: State.SERVING,
        Event.END: State.ENDING,
        Event.CLOSE: State.CLOSED,
    },
    State.QUEUED: {Event.TURN: State.IDLE, Event.CLOSE: State.CLOSED},
    State.SERVING: {
        Event.ANSWERED: State.IDLE,
        Event.ANSWERED_EARLY: State.DISCARDING,
        Event.END: State.ENDING,
        Event.CLOSE: State.CLOSED,
    },
    State.DISCARDING: {
        Event.READ: State.IDLE,
        Event.END: State.ENDING,
        Event.CLOSE: State.CLOSED,
    },
    State.ENDING: {Event.CLOSE: State.CLOSED},
    State.CLOSED: {Event.CLOSE: State.CLOSED},  # reset first, then reported as gone
}

after = moves_of({state: MOVES[state] for state in State}, Event)
