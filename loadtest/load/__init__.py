"""The command behind `make load`: locust against two real stores, directly and through the gateway.

    settings     the knobs of a run, and what they may say
    scenarios    the catalogue: what each does, its two ways, its thresholds
    shapes       how many users there are at a time: constant, ramp, spike, soak
    aim          where requests go: a way maps each bucket to an endpoint and a key pair
    signing      requests that are signed before they are needed, and anew before they expire
    calls        the requests of each scenario, and the objects that have to be there
    filling      puts those objects
    servers      two SeaweedFS and the gateway: started, reloaded, their CPU time, ended
    decisions    asks the admin plane where requests go, while they go
    measured     what a turn measured; what turns say together
    thresholds   what a run must keep, and which process was the limit
    report       the table and the page

With locust (extra `load`), and only then:

    users        the classes of users: FastHttpUser with signed requests, boto3's own clients
    locustfile   for `locust -f`, against a gateway of yours (docs/load-testing.md)
    turns        one process that takes all turns of a run

Rules: modules that know locust are imported by no others, so that everything else is tested
without it; a run uses loopback alone, is bounded and ends by itself; every threshold is a ratio to
the other way, measured in turns with it, because machines are noisy.
"""
