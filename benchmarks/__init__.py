"""What the gateway costs, beside a forwarder that governs nothing. `docs/benchmarks.md` says how to read it."""
