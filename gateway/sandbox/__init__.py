"""An OpenAI-compatible upstream without a model: real HTTP, deterministic answers, faults on request.

The demo, the system tests and the benchmarks send their traffic here. `knobs.py` lists what a request may
ask for.
"""
