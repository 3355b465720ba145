"""`make bench`: what a request costs the gateway, beside what it costs the proxies people use.

    network      a namespace of the run's own: loopback, connections that are not paced
    machine      the two cores, the programs that are there, CPU time of processes
    store        nginx, standing in for a store: files in memory, bodies really read
    contenders   the gateway and its peers, each on one core with one thread
    workloads    what is asked for, and what is sent
    generator    wrk, and what it reports
    rounds       contenders interleaved round by round; medians
    report       the result file, the table and the picture under docs
    chapters     what a chapter is; contents, all of them, each a module:
      congestion   the same under BBR
      width        1, 2 and 4 workers; few connections over many workers
      plans        10, 1,000 and 100,000 routing rules
      counts       instructions, allocations and system calls of a request
      start        exec to first answer, reload, pause
      idle         5,000 connections that are silent
      readers      the memory of 64 slow bodies
    heads        a command of its own: instructions of a small request without sockets
    beside       a command of its own: this version of the gateway beside another one
    alone, lone  the gateway for those, or one worker of it without anything else
    sending, probing, cgroups    their sockets, their latencies, their memory

Rules: nothing is timed outside one run: every figure is a ratio to a peer measured in the same
rounds, because machines are noisy; the CPU time of *all* processes of the gateway counts, the log
writer's too; its access log, authentication and limits are on, the peers' logs are off; everything
is on loopback, bounded, and ends by itself.
"""
