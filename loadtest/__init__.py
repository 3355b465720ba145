"""Load that is put on the gateway to measure it: on loopback only, bounded, ending by itself."""
