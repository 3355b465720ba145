"""Load that is put on the gateway to measure it; only ever on loopback, bounded, ending by itself."""
