"""Vocabularies as plain values, as checkpoints and event sequences keep them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from trajsim.event_sequences import Vocabulary


def vocabulary_to_json(vocabulary: Vocabulary) -> dict[str, Any]:
    """A vocabulary as plain values."""
    plain = asdict(vocabulary)
    return {**plain, "events": list(plain["events"]), "labs": list(plain["labs"])}


def vocabulary_from_json(value: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary of `vocabulary_to_json`; what else stands beside it is not looked at.

    Raises:
        msgspec.ValidationError: A part is missing, or of another type; the message says where.
        ConfigError: Its names do not belong together.
    """
    return msgspec.convert(value, Vocabulary)
