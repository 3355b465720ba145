"""The states of a request between a client and a target, and what moves it: one table, `MOVES`.

    LEASING -> SENDING -> AWAITING ---------> ANSWERING -> ENDED
       ^          |           +-----> HELD ------^
       +----------|---(resend)--------+
                  +-> HELD_EARLY -> EARLY --------------> ENDED
                  +-------------------^

A browser's form is READING, from LEASING and back to it, until its fields are known; and a request
with a body where S3 has none, until that is read.

Rules: what the table does not name is a defect; every phase but the last can end; an answer that
may be no business of the client's (`verdict`) is held until that is known.

Not here: what is done on a move (`exchange`).
"""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """Where an exchange is."""

    LEASING = 0  # admitted or being admitted; no connection yet
    SENDING = 1  # the head is up, body bytes follow
    AWAITING = 2  # the whole request is up
    EARLY = 3  # the answer began before the request was complete; its rest is thrown away
    ANSWERING = 4  # the answer flows
    ENDED = 5
    HELD = 6  # the answer is held back until it is known what it means
    HELD_EARLY = 7  # the same, and the request is not complete
    READING = 8  # a body comes in that is read here first


class Event(IntEnum):
    """What may happen to it."""

    LEASED = 0
    SENT = 1
    ANSWERED = 2
    RESEND = 3
    END = 4
    DOUBTED = 5  # answered, but held back
    FORM = 6  # the body is read here first
    READ = 7  # and that is done


# Members by themselves, for what every request passes: Python 3.11 calls a function for
# `Phase.ENDED` (150 ns; heads: 25,000 instructions a request with the other enums).
LEASING, SENDING, AWAITING, EARLY, ANSWERING, ENDED, HELD, HELD_EARLY, READING = Phase
LEASED, SENT, ANSWERED, RESEND, END, DOUBTED, FORM, READ = Event

MOVES: dict[Phase, dict[Event, Phase]] = {
    Phase.LEASING: {
        Event.LEASED: Phase.SENDING,
        Event.FORM: Phase.READING,
        Event.END: Phase.ENDED,
    },
    Phase.READING: {Event.READ: Phase.LEASING, Event.END: Phase.ENDED},
    Phase.SENDING: {
        Event.SENT: Phase.AWAITING,
        Event.ANSWERED: Phase.EARLY,
        Event.DOUBTED: Phase.HELD_EARLY,
        Event.RESEND: Phase.LEASING,
        Event.END: Phase.ENDED,
    },
    Phase.AWAITING: {
        Event.ANSWERED: Phase.ANSWERING,
        Event.DOUBTED: Phase.HELD,
        Event.RESEND: Phase.LEASING,
        Event.END: Phase.ENDED,
    },
    Phase.HELD: {
        Event.ANSWERED: Phase.ANSWERING,
        Event.RESEND: Phase.LEASING,
        Event.END: Phase.ENDED,
    },
    Phase.HELD_EARLY: {Event.ANSWERED: Phase.EARLY, Event.END: Phase.ENDED},
    Phase.EARLY: {Event.END: Phase.ENDED},
    Phase.ANSWERING: {Event.END: Phase.ENDED},
    Phase.ENDED: {},
}


class ProtocolFault(Exception):
    """Something happened that the table does not foresee; the phase is unchanged."""


def after(phase: Phase, event: Event) -> Phase:
    """Where an event leads. Raises ProtocolFault."""
    moved = _FLAT[phase * _WIDTH + event]
    if moved is None:
        raise ProtocolFault(f"{event.name} while {phase.name}")
    return moved


# An enum hashes itself by its name, in Python: a lookup by number is 1.5 us a request cheaper
# (bench: GET 1 KiB).
_WIDTH = len(Event)
_FLAT = tuple(MOVES[phase].get(event) for phase in Phase for event in Event)
