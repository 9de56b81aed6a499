"""JSON and YAML text as Python values; a key that stands twice in one mapping is a fault, not a silent loss."""

import json
from collections.abc import Hashable

import yaml


class NotReadableError(ValueError):
    """Text that is neither JSON nor YAML, or holds a key twice."""


def parse_json(data: bytes) -> object:
    """Reads JSON.

    Raises:
        NotReadableError: It is no JSON, or a key stands twice.
    """
    try:
        document: object = json.loads(data, object_pairs_hook=_pairs, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        msg = f"not readable as JSON: {error}"
        raise NotReadableError(msg) from error
    return document


def parse_yaml(data: bytes) -> object:
    """Reads YAML; what begins like a JSON document is read as JSON.

    Raises:
        NotReadableError: It is neither, or a key stands twice.
    """
    if data.lstrip()[:1] in (b"{", b"["):
        return parse_json(data)
    try:
        document: object = yaml.load(data, Loader=_UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        msg = f"not readable as YAML: {' '.join(str(error).split())}"
        raise NotReadableError(msg) from error
    return document


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in pairs:
        if key in out:
            msg = f"the key {key!r} stands twice in one mapping"
            raise ValueError(msg)
        out[key] = value
    return out


def _no_number(word: str) -> object:
    msg = f"{word} is no number"
    raise ValueError(msg)


class _UniqueKeys(yaml.SafeLoader):
    """YAML without arbitrary objects and without two keys of one name."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[object, object]:
    loader.flatten_mapping(node)
    out: dict[object, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            msg = f"{key!r} cannot be a key"
            raise yaml.constructor.ConstructorError(None, None, msg, key_node.start_mark)
        if key in out:
            msg = f"the key {key!r} stands twice in one mapping"
            raise yaml.constructor.ConstructorError(None, None, msg, key_node.start_mark)
        out[key] = loader.construct_object(value_node, deep=True)
    return out


def _timestamp(loader: _UniqueKeys, node: yaml.ScalarNode) -> object:
    """A date; the text of one that is none (2020-02-31), so that the decoder says where it stands."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return loader.construct_scalar(node)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_UniqueKeys.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
