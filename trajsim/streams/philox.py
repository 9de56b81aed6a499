"""Machine-code kernels of the random streams; `trajsim.streams.ints` is the same in plain integers.

All words are uint64 below 2^32: in machine code and in the interpreter uint64 must never meet a signed integer.
"""

import math

import numpy as np

from trajsim.streams.jit import inline_jit, jit

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_S11 = np.uint64(11)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_HASH_START = np.uint64(0x243F6A8885A308D3)
_KEYED_LOW = np.uint64(0x7F4A7C15)
_KEYED_HIGH = np.uint64(0x9E3779B9)
_TWO_M53 = 2.0**-53
_TWO_M54 = 2.0**-54


@inline_jit
def philox4x32(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]  # uint64 words below 2^32
    """One Philox4x32-10 block."""
    for _ in range(10):
        product0 = _M0 * c0
        product1 = _M1 * c2
        n0 = (product1 >> _S32) ^ c1 ^ k0
        n2 = (product0 >> _S32) ^ c3 ^ k1
        c1 = product1 & _MASK
        c3 = product0 & _MASK
        c0 = n0
        c2 = n2
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@jit
def uniform(seed_low, seed_high, patient_low, patient_high, stream, n):  # type: ignore[no-untyped-def]
    """The n-th uniform of a stream, in [0, 1); all arguments uint64."""
    w0, w1, _, _ = philox4x32(n & _MASK, stream, patient_low, patient_high, seed_low, seed_high)
    return np.float64(((w0 << _S32) | w1) >> _S11) * _TWO_M53


@jit
def mix64(z):  # type: ignore[no-untyped-def]
    """The finalizer of splitmix64."""
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@jit
def hash4(a, b, c, d):  # type: ignore[no-untyped-def]
    """`trajsim.streams.ints.hash64` of four uint64 words."""
    return mix64(mix64(mix64(mix64(_HASH_START ^ a) ^ b) ^ c) ^ d)


@jit
def keyed_uniform(seed_low, seed_high, patient_low, patient_high, h):  # type: ignore[no-untyped-def]
    """A uniform keyed by a 64-bit hash."""
    w0, w1, _, _ = philox4x32(
        h & _MASK, h >> _S32, patient_low, patient_high, seed_low ^ _KEYED_LOW, seed_high ^ _KEYED_HIGH
    )
    return np.float64(((w0 << _S32) | w1) >> _S11) * _TWO_M53


@jit
def _central(r):  # type: ignore[no-untyped-def]
    top = 2.5090809287301226727e3
    top = top * r + 3.3430575583588128105e4
    top = top * r + 6.7265770927008700853e4
    top = top * r + 4.5921953931549871457e4
    top = top * r + 1.3731693765509461125e4
    top = top * r + 1.9715909503065514427e3
    top = top * r + 1.3314166789178437745e2
    top = top * r + 3.3871328727963666080e0
    low = 5.2264952788528545610e3
    low = low * r + 2.8729085735721942674e4
    low = low * r + 3.9307895800092710610e4
    low = low * r + 2.1213794301586595867e4
    low = low * r + 5.3941960214247511077e3
    low = low * r + 6.8718700749205790830e2
    low = low * r + 4.2313330701600911252e1
    low = low * r + 1.0
    return top, low


@jit
def _middle(r):  # type: ignore[no-untyped-def]
    top = 7.74545014278341407640e-4
    top = top * r + 2.27238449892691845833e-2
    top = top * r + 2.41780725177450611770e-1
    top = top * r + 1.27045825245236838258e0
    top = top * r + 3.64784832476320460504e0
    top = top * r + 5.76949722146069140550e0
    top = top * r + 4.63033784615654529590e0
    top = top * r + 1.42343711074968357734e0
    low = 1.05075007164441684324e-9
    low = low * r + 5.47593808499534494600e-4
    low = low * r + 1.51986665636164571966e-2
    low = low * r + 1.48103976427480074590e-1
    low = low * r + 6.89767334985100004550e-1
    low = low * r + 1.67638483018380384940e0
    low = low * r + 2.05319162663775882187e0
    low = low * r + 1.0
    return top, low


@jit
def _tail(r):  # type: ignore[no-untyped-def]
    top = 2.01033439929228813265e-7
    top = top * r + 2.71155556874348757815e-5
    top = top * r + 1.24266094738807843860e-3
    top = top * r + 2.65321895265761230930e-2
    top = top * r + 2.96560571828504891230e-1
    top = top * r + 1.78482653991729133580e0
    top = top * r + 5.46378491116411436990e0
    top = top * r + 6.65790464350110377720e0
    low = 2.04426310338993978564e-15
    low = low * r + 1.42151175831644588870e-7
    low = low * r + 1.84631831751005468180e-5
    low = low * r + 7.86869131145613259100e-4
    low = low * r + 1.48753612908506148525e-2
    low = low * r + 1.36929880922735805310e-1
    low = low * r + 5.99832206555887937690e-1
    low = low * r + 1.0
    return top, low


@jit
def normal_quantile(u):  # type: ignore[no-untyped-def]
    """Standard normal quantile, AS 241; u below 2^-54 counts as 2^-54."""
    if u < _TWO_M54:
        u = _TWO_M54
    q = u - 0.5
    if math.fabs(q) <= 0.425:
        top, low = _central(0.180625 - q * q)
        return q * top / low
    r = math.sqrt(-math.log(u if q < 0.0 else 1.0 - u))
    if r <= 5.0:
        top, low = _middle(r - 1.6)
    else:
        top, low = _tail(r - 5.0)
    value = top / low
    return -value if q < 0.0 else value
