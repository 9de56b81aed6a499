"""Machine-code kernels of the engine: everything under one decorator, and nothing else.

Arrays and scalars in, a status out: no Python objects, no exceptions, no allocation. Every kernel takes the parts of
a program and of a life that it needs, by the same short names:

* `h` header record, `S` states, `O` options, `N` condition nodes, `T` lookup tables, `Z` integer heap, `D` float heap;
* `x` the patient's record, `E` the event log, `C` the patient's encounters, `L` the visit log.
"""
