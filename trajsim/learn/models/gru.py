"""A gated recurrent unit: the smallest core that keeps a history, and the one that stands the noise of privacy best."""

import flax.linen as nn
import jax
import jax.numpy as jnp

OPEN = -1.0  # bias of the gate that lets news in: at first a step changes little of what is carried


class GruCore(nn.Module):
    """Carries a history as `width` numbers (Cho et al. 2014; the reset gate acts on the state after its matrix).

    Shapes:
        features [T, F] -> readings [T, width]; state [width].
    """

    width: int
    n_features: int

    def setup(self) -> None:
        """Declares the weights."""
        self.inward = self.param("inward", nn.initializers.lecun_normal(), (self.n_features, 3 * self.width))
        self.onward = self.param("onward", nn.initializers.orthogonal(), (self.width, 3 * self.width))
        self.bias = self.param("bias", self._bias, (3 * self.width,))
        self.onward_bias = self.param("onward_bias", nn.initializers.zeros_init(), (self.width,))

    def _bias(self, _key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.zeros(shape).at[: self.width].set(OPEN)

    @property
    def state_width(self) -> int:
        """Numbers that a patient's state takes."""
        return self.width

    def advance(self, state: jax.Array, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One step: the new state, and what the heads read of it. Leading axes are batches."""
        return self._cell(state, features @ self.inward + self.bias)

    def _cell(self, state: jax.Array, arriving: jax.Array) -> tuple[jax.Array, jax.Array]:
        carried = state @ self.onward
        w = self.width
        news = jax.nn.sigmoid(arriving[..., :w] + carried[..., :w])
        reset = jax.nn.sigmoid(arriving[..., w : 2 * w] + carried[..., w : 2 * w])
        candidate = jnp.tanh(arriving[..., 2 * w :] + reset * (carried[..., 2 * w :] + self.onward_bias))
        new = state + news * (candidate - state)
        return new, new

    def __call__(self, features: jax.Array) -> jax.Array:
        """All steps of one history."""
        arriving = features @ self.inward + self.bias
        _, readings = jax.lax.scan(self._cell, jnp.zeros(self.width, features.dtype), arriving)
        return readings
