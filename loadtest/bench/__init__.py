"""`make bench`: what a request costs the gateway, beside what it costs the proxies people use.

    machine      the two cores, the programs that are there, CPU time of processes
    store        nginx, standing in for a store: files in memory, bodies really read
    contenders   the gateway and its peers, each on one core with one thread
    workloads    what is asked for, and what is sent
    generator    wrk, and what it reports
    rounds       contenders interleaved round by round; medians
    width        chapter: 1, 2 and 4 workers; few connections over many workers
    report       the result file, the table and the picture under docs

Rules: nothing is timed outside one run: every figure is a ratio to a peer measured in the same
rounds, because machines are noisy; the CPU time of *all* processes of the gateway counts, the log
writer's too; its access log, authentication and limits are on, the peers' logs are off; everything
is on loopback, bounded, and ends by itself.

Not here: whether the bytes are right (`tests`).
"""
