"""Draws the processes of a gateway, and what runs between them."""

from __future__ import annotations

from website.picture import Picture


def draw() -> Picture:
    """Returns the picture."""
    picture = Picture("The processes of a gateway", 496)
    picture.box((16, 16, 140, 50), "operator", "and Prometheus", kind="client")
    picture.box((180, 16, 250, 50), "supervisor", "owns the sockets, starts the others")
    does = (
        "reads gateway.yaml,",
        "gets credentials,",
        "writes the logs,",
        "checks targets' health,",
    )
    picture.box((16, 140, 184, 224), "control", *does, "serves the admin plane")
    picture.arrow((76, 66), (76, 140))
    picture.words((84, 98), "admin plane,")
    picture.words((84, 116), "commands")
    picture.arrow((190, 66), (190, 140), both=True)
    picture.frame((236, 140, 166, 224), "workers")
    for number, name in enumerate(("worker 0", "worker 1", "worker N-1")):
        picture.box((252, 172 + 62 * number, 134, 48), name, "one socket each")
    picture.arrow((319, 66), (319, 140), both=True)
    picture.words((330, 98), "pipes: snapshots down,")
    picture.words((330, 116), "acknowledgements up")
    picture.box((454, 152, 130, 46), "clients", kind="client")
    picture.arrow((454, 175), (402, 175), both=True)
    picture.box((454, 224, 130, 46), "targets", kind="store")
    picture.arrow((402, 247), (454, 247), both=True)
    picture.box((454, 296, 130, 64), "router", "your own class,", "if there is one", kind="absent")
    picture.arrow((402, 328), (454, 328), both=True)
    picture.arrow((236, 330), (200, 330))
    picture.words((218, 320), "log", anchor="middle")
    picture.box(
        (16, 420, 386, 56), "page of counters", "shared memory: workers write, control reads"
    )
    picture.arrow((319, 364), (319, 420))
    picture.arrow((108, 420), (108, 364))
    return picture
