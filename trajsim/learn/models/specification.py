"""What decides the shape of a network: with the vocabulary, all that a checkpoint must say to be read again."""

from dataclasses import dataclass
from typing import Literal

from trajsim.errors import ConfigError
from trajsim.event_sequences import Vocabulary
from trajsim.learn.features import n_clock, n_still

KINDS = ("gru", "transformer")


@dataclass(frozen=True, kw_only=True)
class ModelSpecification:
    """Shape of a trajectory model.

    Attributes:
        vocabulary: Events and labs.
        kind: What carries the history: ``gru`` or ``transformer``.
        width: Numbers that it carries.
        heads: Attention heads of a transformer.
        window: Steps that a transformer looks back.
        components: Normal distributions in the mixture of a lab value.
    """

    vocabulary: Vocabulary
    kind: Literal["gru", "transformer"] = "gru"
    width: int = 32
    heads: int = 2
    window: int = 48
    components: int = 2

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: An unknown kind, or a number out of range.
        """
        if self.kind not in KINDS:
            msg = f"a model is one of {', '.join(KINDS)}, got {self.kind!r}"
            raise ConfigError(msg)
        if min(self.width, self.heads, self.window, self.components) < 1 or self.width % self.heads:
            msg = f"width, heads, window and components must be positive and heads divide the width, got {self!r}"
            raise ConfigError(msg)

    @property
    def n_events(self) -> int:
        """K: events, death included, visits not."""
        return len(self.vocabulary.events)

    @property
    def n_labs(self) -> int:
        """V: labs."""
        return len(self.vocabulary.labs)

    @property
    def n_clock(self) -> int:
        """Features that move with the clock; they come first."""
        return n_clock(self.n_labs)

    @property
    def n_features(self) -> int:
        """Width of the vector of one step."""
        return self.n_clock + n_still(self.n_events, self.n_labs)
