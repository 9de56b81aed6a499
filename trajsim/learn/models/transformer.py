"""A causal transformer of one layer, with the keys and values of past steps kept for generation."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class TransformerCore(nn.Module):
    """Looks back over the last `window` steps with attention (Vaswani et al. 2017, normalised before each part).

    Time is in the features (age, gap), so steps carry no position of their own. A patient's state is the keys and
    values of the window as a ring, and how many steps were taken.

    Shapes:
        features [T, F] -> readings [T, width]; state [2 * window * width + 1].
    """

    width: int
    heads: int
    window: int
    n_features: int

    def setup(self) -> None:
        """Declares the parts."""
        self.inward = nn.Dense(self.width)
        self.before = nn.LayerNorm()
        self.query = nn.Dense(self.width, use_bias=False)
        self.key = nn.Dense(self.width, use_bias=False)
        self.value = nn.Dense(self.width, use_bias=False)
        self.out = nn.Dense(self.width, kernel_init=nn.initializers.normal(0.02))
        self.between = nn.LayerNorm()
        self.wide = nn.Dense(2 * self.width)
        self.narrow = nn.Dense(self.width, kernel_init=nn.initializers.normal(0.02))
        self.after = nn.LayerNorm()

    @property
    def state_width(self) -> int:
        """Numbers that a patient's state takes."""
        return 2 * self.window * self.width + 1

    def _split(self, x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[:-1], self.heads, self.width // self.heads)

    def _attend(self, query: jax.Array, keys: jax.Array, values: jax.Array, seen: jax.Array) -> jax.Array:
        """Query [..., q, w], keys and values [..., s, w], seen [..., q, s]."""
        q, k, v = self._split(query), self._split(keys), self._split(values)
        scores = jnp.einsum("...qhd,...shd->...hqs", q, k) / jnp.sqrt(self.width / self.heads)
        shares = jax.nn.softmax(jnp.where(seen[..., None, :, :], scores, -1e9), axis=-1)
        attended: jax.Array = jnp.reshape(jnp.einsum("...hqs,...shd->...qhd", shares, v), query.shape)
        return attended

    def _rest(self, x: jax.Array, attended: jax.Array) -> jax.Array:
        x = x + self.out(attended)
        x = x + self.narrow(jax.nn.gelu(self.wide(self.between(x))))
        normal: jax.Array = self.after(x)
        return normal

    def advance(self, state: jax.Array, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One step: the new state, and what the heads read of it. Leading axes are batches."""
        x = self.inward(features)
        normal = self.before(x)
        taken = state[..., -1]
        ring = state[..., :-1].reshape(*state.shape[:-1], 2, self.window, self.width)
        here = jnp.arange(self.window) == jnp.mod(taken, self.window)[..., None]
        new = jnp.stack([self.key(normal), self.value(normal)], axis=-2)
        ring = jnp.where(here[..., None, :, None], new[..., :, None, :], ring)
        seen = jnp.arange(self.window) <= taken[..., None]
        attended = self._attend(
            self.query(normal)[..., None, :], ring[..., 0, :, :], ring[..., 1, :, :], seen[..., None, :]
        )
        state = jnp.concatenate([ring.reshape(*state.shape[:-1], -1), taken[..., None] + 1.0], axis=-1)
        return state, self._rest(x, attended[..., 0, :])

    def __call__(self, features: jax.Array) -> jax.Array:
        """All steps of one history."""
        x = self.inward(features)
        normal = self.before(x)
        steps = jnp.arange(x.shape[-2])
        behind = steps[:, None] - steps[None, :]
        seen = (behind >= 0) & (behind < self.window)
        return self._rest(x, self._attend(self.query(normal), self.key(normal), self.value(normal), seen))
