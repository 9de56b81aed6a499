"""Cutting: sentinels come back as slots, constants stay, nothing is lost in silence."""

import numpy as np
import orjson
import pytest
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.observation import Observation
from hypothesis import given
from hypothesis import strategies as st

from fhir_export.layout import Variant
from fhir_export.templates import Family, Json, Shape, ShapeSpace, Slots, Templates, Texts


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_shapes_pack_and_unpack(sizes: list[int], data: st.DataObject) -> None:
    space = ShapeSpace(**{f"f{index}": size for index, size in enumerate(sizes)})
    shape = {f"f{index}": data.draw(st.integers(0, size - 1)) for index, size in enumerate(sizes)}
    (code,) = space.pack(1, **shape)
    assert 0 <= code < space.size
    assert space.unpack(int(code)) == shape


def test_unknown_field_of_a_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown fields of a shape: b"):
        ShapeSpace(a=2).pack(1, a=0, b=1)


def _observation(shape: Shape, slot: Slots) -> Json:
    content: Json = {"status": "final", "code": {"text": 'const"ant'}, "id": slot.id()}
    if shape["subject"]:
        content["subject"] = slot.reference("Patient", 1)
    return content


def test_shapes_are_built_once_and_cut_in_every_form() -> None:
    built = []

    def build(shape: Shape, slot: Slots) -> Json:
        built.append(dict(shape))
        return _observation(shape, slot)

    family = Family("Observation", Observation, ShapeSpace(subject=2), build)
    templates = Templates()
    numbers = templates.select(family, np.array([1, 0, 1]))
    assert numbers.tolist() == [4, 0, 4]
    assert templates.select(family, np.array([1])).tolist() == [4]
    assert built == [{"subject": 0}, {"subject": 1}]
    first_step, _, constants = templates.packed()
    assert len(first_step) == 2 * len(Variant)
    text = constants.tobytes()
    assert b'"reference":"Patient/' in text
    assert b'"reference":"urn:uuid:' in text
    assert b'"request":{"method":"PUT","url":"Observation/' in text
    assert b'const\\"ant' in text
    assert b"slot-" not in text


def test_a_sentinel_that_does_not_come_back_is_an_error() -> None:
    def build(_: Shape, slot: Slots) -> Json:
        slot.text(3)
        return {"text": "constant"}

    with pytest.raises(AssertionError, match="lost"):
        Templates().number(Family("Lost", CodeableConcept, ShapeSpace(only=1), build, is_resource=False), 0)


def test_a_sentinel_needs_a_column_that_it_can_spell() -> None:
    with pytest.raises(ValueError, match="got 60"):
        Slots(Templates()).integer(60)


@given(st.lists(st.text()))
def test_texts_keep_their_numbers(values: list[str]) -> None:
    texts = Texts()
    numbers = [texts.number(value, lambda value=value: orjson.dumps(value)) for value in values]  # type: ignore[misc]
    pool, bounds = texts.packed()
    for value, number in zip(values, numbers, strict=True):
        assert orjson.loads(pool[bounds[number] : bounds[number + 1]].tobytes()) == value
    assert len(texts) == len(set(values))
