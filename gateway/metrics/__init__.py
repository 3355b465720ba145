"""What the counters of a running gateway come to: series for a scrape, samples for plots."""
