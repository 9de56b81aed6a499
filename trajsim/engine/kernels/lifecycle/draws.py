"""Keyed draws of the lifecycle: what is drawn decides the number, never how many draws came before."""

import math

import numpy as np

from trajsim.engine.kernels.slots import mark
from trajsim.engine.opcodes import Tag
from trajsim.streams.jit import inline_jit, jit
from trajsim.streams.keys import stream_id
from trajsim.streams.philox import hash4, keyed_uniform, normal_quantile

NIL = int(Tag.NIL)
NUMBER = int(Tag.NUMBER)
INTEGER = int(Tag.INTEGER)
BOOLEAN = int(Tag.BOOLEAN)
STRING = int(Tag.STRING)
ROOT_HALF = 0.7071067811865476


def lifecycle_id(name: str) -> np.uint64:
    """First word of a draw."""
    return np.uint64(stream_id(f"@lifecycle:{name}"))


@jit
def keyed(x, name, a, b, c):
    """U(name, a, b, c)."""
    key = hash4(np.uint64(name), np.uint64(a), np.uint64(b), np.uint64(c))
    return keyed_uniform(x.seed_low, x.seed_high, x.patient_low, x.patient_high, key)


@inline_jit
def between(low, high, u):
    """U[low, high]."""
    return low + (high - low) * u


@jit
def normal_cdf(z):
    """Phi."""
    return math.erfc(-z * ROOT_HALF) * 0.5


@inline_jit
def keyed_normal(x, name, a, b, c):
    """N(name, a, b, c)."""
    return normal_quantile(keyed(x, name, a, b, c))


@inline_jit
def slot_of(h, Z, attribute):
    """Slot of a lifecycle attribute, -1 if nothing mentions it."""
    return Z[h.z_life_slot + attribute]


@jit
def put_attribute(h, Z, x, attribute, tag, value):
    """Sets an attribute that something mentions."""
    slot = Z[h.z_life_slot + attribute]
    if slot >= 0:
        x.w[h.w_attribute + slot] = tag
        x.f[h.f_attribute + slot] = value
        mark(x, slot)


@jit
def put_text(h, Z, x, attribute, text):
    """Sets an attribute to one of the lifecycle's texts."""
    put_attribute(h, Z, x, attribute, STRING, np.float64(Z[h.z_life_text + text]))


@jit
def is_true(h, Z, x, attribute):
    """Whether an attribute is the boolean true."""
    slot = Z[h.z_life_slot + attribute]
    return slot >= 0 and x.w[h.w_attribute + slot] == BOOLEAN and x.f[h.f_attribute + slot] != 0.0


@jit
def is_present(h, Z, x, attribute):
    """Whether an attribute has any value."""
    slot = Z[h.z_life_slot + attribute]
    return slot >= 0 and x.w[h.w_attribute + slot] != NIL


@jit
def number_of(h, Z, x, attribute, default):
    """An attribute as a number, or a default."""
    slot = Z[h.z_life_slot + attribute]
    if slot < 0:
        return default
    tag = x.w[h.w_attribute + slot]
    if tag == NUMBER or tag == INTEGER:
        return x.f[h.f_attribute + slot]
    return default


@inline_jit
def is_active(h, x, E, text, kind):
    """Whether a code is in `present` as an entry of a kind."""
    event = x.w[h.w_present + text]
    return event != 0 and E[x.e0 + event - 1].kind == kind
