"""What a model says of real patients, patient by patient: the arrays that `trajsim.evaluate` measures."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trajsim.event_sequences import EventSequences
from trajsim.learn.batches import chunks, pad
from trajsim.learn.loss import Loss, Row
from trajsim.learn.models.network import Parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.sampling import sample_futures
from trajsim.learn.trained import TrainedModel

CHUNK = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class TeacherForced:
    """Each history read step by step, every step given the real ones before it. Likelihoods are in nats.

    Attributes:
        nll_events: [n] First events, legal and not forbidden, hazards per year.
        nll_visits: [n] When visits come, those on the day of an event included.
        nll_panels: [n] Which labs a visit measures.
        nll_values: [n] What they read.
        nll_entry: [n] What the patient was like at entry, given age and sex.
        expected: [n, K] Integrated hazard of every event while it could come.
        observed: [n, K] How often it came: 0 or 1.
    """

    nll_events: NDArray[np.float64]
    nll_visits: NDArray[np.float64]
    nll_panels: NDArray[np.float64]
    nll_values: NDArray[np.float64]
    nll_entry: NDArray[np.float64]
    expected: NDArray[np.float64]
    observed: NDArray[np.float64]


@partial(jax.jit, static_argnums=0)
def _read(spec: ModelSpecification, params: Parameters, rows: Row) -> dict[str, jax.Array]:
    loss = Loss(spec)
    return jax.vmap(lambda row: loss.parts(params, row) | loss.counts(params, row))(rows)


def teacher_forced(model: TrainedModel, sequences: EventSequences) -> TeacherForced:
    """Reads every patient with a model."""
    n, k = len(sequences), model.spec.n_events
    names = ("events", "visits", "panels", "values", "conditions", "entry")
    parts = {name: np.zeros(n) for name in names}
    counts = {name: np.zeros((n, k)) for name in ("events_expected", "events_seen")}
    for bucket in pad(sequences, model.legality):
        for start in range(0, len(bucket), CHUNK):
            some = np.arange(start, min(start + CHUNK, len(bucket)))
            for rows, padding in chunks(bucket, some, CHUNK):
                read = _read(model.spec, model.params, {name: jnp.asarray(row) for name, row in rows.items()})
                at = bucket.positions[some]
                for name, column in (parts | counts).items():
                    column[at] = np.asarray(read[name])[~padding]
    return TeacherForced(
        **{f"nll_{name}": parts[name] for name in names[:-2]},
        nll_entry=parts["conditions"] + parts["entry"],
        expected=counts["events_expected"],
        observed=counts["events_seen"],
    )


def risks(
    model: TrainedModel, sequences: EventSequences, *, years: float, draws: int = 16, seed: int = 0
) -> NDArray[np.float64]:
    """[n, K] Risk of every first event within `years` of entry: integrated hazard, averaged over drawn futures."""
    total = np.zeros((len(sequences), model.spec.n_events))
    for draw in range(draws):
        total += sample_futures(model, sequences, seed=seed * 1_000 + draw, years=years).expected
    return total / draws
