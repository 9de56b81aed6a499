"""Names of random streams, and the number each one has in a Philox counter."""

import hashlib

ENCOUNTERS = "@encounters"
MORTALITY = "@mortality"
POPULATION = "@population"
IMMUNIZATIONS = "@immunizations"
COVID = "@covid-19"
INSURANCE = "@insurance"
CERTIFICATE = "@death-certificate"

KEYED_XOR = 0x9E3779B97F4A7C15
HASH_START = 0x243F6A8885A308D3


def stream_id(path: str) -> int:
    """The 32-bit number of a stream: the first four bytes, little-endian, of SHA-256 of ``trajsim:`` + path."""
    return int.from_bytes(hashlib.sha256(f"trajsim:{path}".encode()).digest()[:4], "little")
