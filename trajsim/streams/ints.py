"""Philox4x32-10 and the quantile functions in plain Python integers and floats.

Slow and obvious: the reference interpreter draws from here, and the tests compare the machine-code kernels with it
bit for bit.

Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3 (SC11); Wichura (1988), Algorithm
AS 241, Applied Statistics 37(3).
"""

import math

from trajsim.streams.keys import HASH_START, KEYED_XOR

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF
_M0 = 0xD2511F53
_M1 = 0xCD9E8D57
_W0 = 0x9E3779B9
_W1 = 0xBB67AE85


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """One block of four 32-bit words (ten rounds)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0 = _M0 * c0
        product1 = _M1 * c2
        c0, c1, c2, c3 = (
            (product1 >> 32) ^ c1 ^ k0,
            product1 & _MASK32,
            (product0 >> 32) ^ c3 ^ k1,
            product0 & _MASK32,
        )
        k0 = (k0 + _W0) & _MASK32
        k1 = (k1 + _W1) & _MASK32
    return c0, c1, c2, c3


def _uniform_of(words: tuple[int, int, int, int]) -> float:
    """A double in [0, 1) from the first two words."""
    return float(((words[0] << 32) | words[1]) >> 11) * 2.0**-53


def uniform(seed: int, patient_id: int, stream: int, n: int) -> float:
    """The n-th uniform of a patient's stream."""
    counter = (n & _MASK32, stream, patient_id & _MASK32, (patient_id >> 32) & _MASK32)
    return _uniform_of(philox4x32(counter, (seed & _MASK32, (seed >> 32) & _MASK32)))


def mix64(z: int) -> int:
    """The finalizer of splitmix64."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def hash64(*words: int) -> int:
    """A 64-bit hash of a tuple of integers (each taken modulo 2^64)."""
    h = HASH_START
    for word in words:
        h = mix64(h ^ (word & _MASK64))
    return h


def keyed_uniform(seed: int, patient_id: int, *words: int) -> float:
    """A uniform that depends on what is drawn (the words), not on how many draws came before."""
    h = hash64(*words)
    key = (seed ^ KEYED_XOR) & _MASK64
    counter = (h & _MASK32, h >> 32, patient_id & _MASK32, (patient_id >> 32) & _MASK32)
    return _uniform_of(philox4x32(counter, (key & _MASK32, key >> 32)))


def _horner(coefficients: tuple[float, ...], x: float) -> float:
    """A polynomial, highest power first."""
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


_A = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_B = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip
_C = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_D = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)  # fmt: skip
_E = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
)  # fmt: skip
_F = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
)  # fmt: skip


def normal_quantile(u: float) -> float:
    """The standard normal quantile (AS 241, about 16 digits); u below 2^-54 counts as 2^-54."""
    u = max(u, 2.0**-54)
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _horner(_A, r) / _horner(_B, r)
    r = math.sqrt(-math.log(u if q < 0.0 else 1.0 - u))
    if r <= 5.0:
        r = r - 1.6
        value = _horner(_C, r) / _horner(_D, r)
    else:
        r = r - 5.0
        value = _horner(_E, r) / _horner(_F, r)
    return -value if q < 0.0 else value
