"""The page of counters as an operator sees it: metrics for Prometheus, sums for a monitor, samples
for plots.
"""
