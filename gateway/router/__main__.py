"""The entry point `python -m gateway.router`: `serve CHANNEL LISTENER`, `check` or `ask`.

Rules: the definition comes by the channel or by standard input, never as an argument, which
everybody on the machine can read; the result of `check` and `ask` is one line on standard output.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable

from gateway.router.confinement import (
    OwnDescriptors,
    end_for_memory,
    limit_memory,
    lose_output_when_full,
    name_process,
)
from gateway.router.definition import Definition
from gateway.router.loading import LoadFault, Router, load, stamp


def main(arguments: list[str]) -> None:
    """Runs a router, or checks one; does not return."""
    own = OwnDescriptors()
    match arguments:
        case ["serve", channel, listener]:
            from gateway.router import server

            name_process("s3gw router")
            lose_output_when_full()
            server.run(socket.socket(fileno=int(channel)), socket.socket(fileno=int(listener)), own)
        case ["check", seconds]:
            name_process("s3gw check")
            signal.alarm(int(seconds))  # by its default it ends the process, loops included
            _check(own)
        case ["ask", seconds]:
            name_process("s3gw ask")
            signal.alarm(int(seconds))
            _ask(own)
    os._exit(os.EX_USAGE)


def _check(own: OwnDescriptors) -> None:
    definition = Definition.decoded(sys.stdin.buffer.read())
    _tell(own, definition, lambda _: {"stamp": stamp(definition)})


def _ask(own: OwnDescriptors) -> None:
    from gateway.router.answering import answer_once

    definition, _, question = sys.stdin.buffer.read().partition(b"\n")
    arguments = json.loads(question)
    _tell(own, Definition.decoded(definition), lambda router: answer_once(router, arguments))


def _tell(
    own: OwnDescriptors, definition: Definition, find: Callable[[Router], dict[str, object]]
) -> None:
    """Loads the router and writes what is found of it, or its fault, on standard output."""
    result = os.dup(1)
    own.add(result)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    limit_memory(definition.memory_mb)
    try:
        found = find(load(definition))
    except LoadFault as fault:
        found = {"fault": str(fault), "remedy": fault.remedy}
    except MemoryError:
        end_for_memory()
    os.write(result, json.dumps(found).encode())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
