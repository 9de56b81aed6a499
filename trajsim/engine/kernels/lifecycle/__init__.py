"""The lifecycle as kernels: growth, vital signs, risks, vaccines, insurance (docs/draws.md, section 10)."""
