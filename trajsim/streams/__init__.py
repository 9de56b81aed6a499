"""Counter-based random numbers: Philox4x32-10 and the keys of its streams.

A life depends on (seed, patient, modules, options) and nothing else because every draw is a pure function of (seed,
patient, stream, count). `philox` holds the machine-code kernels, `ints` the same in plain integers (for the reference
interpreter and for checking), `keys` the names of streams. See docs/draws.md, section 1.
"""
