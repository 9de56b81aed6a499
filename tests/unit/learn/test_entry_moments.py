import jax
import numpy as np
import pytest

from trajsim.event_sequences import EventKind, EventSequences, Legality, Vocabulary
from trajsim.learn.calibration import release_demographics, release_entry
from trajsim.learn.entry_moments import entry_vectors, fit_conditions, groups_of, with_conditions_of
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.sampling import sample_entries
from trajsim.learn.trained import TrainedModel

NAMES = ("hypertension", "diabetes", "stroke", "death")
SPEC = ModelSpecification(
    vocabulary=Vocabulary(events=tuple(EventKind(name=name, prior_share=0.05) for name in NAMES), max_years=10.0),
    width=4,
)


def _people(n: int = 20_000) -> EventSequences:
    """Diabetes with weight, hypertension with age and diabetes, stroke with hypertension only."""
    rng = np.random.default_rng(8)
    age = rng.uniform(20, 90, n)
    bmi = np.exp(np.log(28) + 0.22 * rng.normal(size=n))
    heavy = np.log(bmi / 28) / 0.22
    diabetes = rng.random(n) < 1 / (1 + np.exp(2.5 - 0.9 * heavy))
    pressure = rng.random(n) < 1 / (1 + np.exp(1.5 - 0.04 * (age - 50) - 1.2 * diabetes))
    stroke = rng.random(n) < 1 / (1 + np.exp(4.0 - 1.5 * pressure))
    none = np.zeros(n, dtype=bool)
    return EventSequences(
        vocabulary=SPEC.vocabulary, patient_id=np.arange(n).astype(np.str_), split=np.zeros(n, dtype=np.uint8),
        is_male=rng.random(n) < 0.5, entry_age_days=(age * 365.25).astype(np.int32), bmi=bmi,
        prevalent=np.stack([pressure, diabetes, stroke, none], axis=1), entry_values=np.zeros((n, 0)),
        entry_value_days=np.zeros((n, 0), dtype=np.int32), follow_up_days=np.full(n, 900, dtype=np.int32),
        offsets=np.zeros(n + 1, dtype=np.int64), day=np.zeros(0, dtype=np.int32), is_visit=np.zeros(0, dtype=bool),
        events=np.zeros((0, 4), dtype=bool), forbidden=np.zeros((0, 4), dtype=bool), values=np.zeros((0, 0)),
    )  # fmt: skip


def test_the_vector_of_a_patient_says_what_he_has_and_with_what() -> None:
    people = _people(50)
    vectors = entry_vectors(people)
    k, groups = 3, 10
    held = people.prevalent[:, :-1]
    assert vectors.shape == (50, k + groups * k + 3 + k)
    np.testing.assert_array_equal(vectors[:, :k], held)
    norms, bound = np.linalg.norm(vectors, axis=1), held.sum(axis=1)
    assert (norms <= np.sqrt(2.1 * bound + 0.18 * bound * (bound - 1)) + 1e-9).all()
    assert groups_of(np.array([False, True]), np.array([45.0, 80.0])).tolist() == [1, 9]


def test_drawn_patients_have_what_was_counted() -> None:
    people = _people()
    demographics = release_demographics(people, plan=None, keys=None)
    moments = release_entry(people, plan=None, keys=None)
    assert moments is not None
    begin = initial_parameters(SPEC, jax.random.key(0))
    # The body mass index is not fitted here; give the chain that of these people.
    entry = begin["params"]["entry"]
    entry = {**entry, "bias": entry["bias"].at[0].set(9.0).at[1].set(0.0)}
    entry |= {"shift": entry["shift"].at[1].set(0.0), "log_scale": entry["log_scale"].at[1].set(0.0)}
    begin = {"params": {**begin["params"], "entry": entry}}
    fitted = fit_conditions(SPEC, begin, moments, demographics)
    model = TrainedModel(SPEC, fitted, Legality.first_occurrences(4), demographics)
    drawn = sample_entries(model, 20_000, seed=4)
    found, real = drawn.prevalent[:, :3], people.prevalent[:, :3]
    # Two samples of 20,000 each: standard errors of shares up to .005, of correlations .01.
    np.testing.assert_allclose(found.mean(axis=0), real.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(real.T), atol=0.04)
    for old in (False, True):
        mine = found[(drawn.entry_age_days > 60 * 365) == old].mean(axis=0)
        theirs = real[(people.entry_age_days > 60 * 365) == old].mean(axis=0)
        np.testing.assert_allclose(mine, theirs, atol=0.025)
    assert found[drawn.bmi > 34, 1].mean() == pytest.approx(real[people.bmi > 34, 1].mean(), abs=0.05)


def test_only_conditions_move() -> None:
    people = _people(2_000)
    moments = release_entry(people, plan=None, keys=None)
    assert moments is not None
    begin = initial_parameters(SPEC, jax.random.key(0))
    fitted = fit_conditions(SPEC, begin, moments, release_demographics(people, plan=None, keys=None))
    for part in ("core", "heads"):
        for name, values in begin["params"][part].items():
            np.testing.assert_array_equal(values, fitted["params"][part][name])
    before, after = begin["params"]["entry"], fitted["params"]["entry"]
    np.testing.assert_array_equal(before["weights"][:, :2], after["weights"][:, :2])
    assert not np.allclose(before["weights"][:, 2:], after["weights"][:, 2:])
    back = with_conditions_of(SPEC, fitted, begin)
    np.testing.assert_array_equal(back["params"]["entry"]["weights"], before["weights"])


def test_a_patient_may_hold_what_could_come_in_one_order_only() -> None:
    excludes = np.eye(4, dtype=bool)
    excludes[1, 0] = True  # the second cannot follow the first
    excludes[2, 3] = excludes[3, 2] = True  # neither of the last two can follow the other
    needs = np.zeros((4, 4), dtype=bool)
    needs[3, 0] = True
    legality = Legality(needs=needs, excludes=excludes)
    held = np.array(
        [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]], dtype=bool
    )
    kept = [[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    np.testing.assert_array_equal(legality.attainable(held), np.array(kept, dtype=bool))
    assert not legality.attainable(held[:0]).size
