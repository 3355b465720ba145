"""What worker, supervisor and control share: frames, counters, the log socket."""
