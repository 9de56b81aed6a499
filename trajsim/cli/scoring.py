"""Every measure of a learned model on real patients: asks the model, and hands arrays and cohorts to the measures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajsim.evaluate.metric import FREE_RUN, TEACHER_FORCED, Metric
from trajsim.evaluate.resampling import Resampling
from trajsim.event_sequences import EventSequences
from trajsim.learn.scoring import TeacherForced
from trajsim.learn.trained import TrainedModel

Floats = NDArray[np.float64]

YEARS = 5.0
DRAWS = 16
MOST_PATIENTS = 12_640


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreRequest:
    """What to score, and on whom.

    Attributes:
        model: The model.
        real: Patients that it never saw.
        train: Those that it was trained on; None or empty leaves out what needs them.
        reference: A model whose gain is the whole of it.
        resampling: How intervals and floors are made.
        seed: Of everything that a model draws.
        note: Told what is being done.
    """

    model: TrainedModel
    real: EventSequences
    train: EventSequences | None = None
    reference: TrainedModel | None = None
    resampling: Resampling
    seed: int
    note: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What was measured.

    Attributes:
        metrics: In the order in which they are shown.
        left_out: Sentences: what could not be measured, and why.
    """

    metrics: tuple[Metric, ...]
    left_out: tuple[str, ...]


def score_model(request: ScoreRequest) -> Scores:
    """Measures everything that can be measured."""
    left_out: list[str] = []
    metrics = [*_teacher_forced(request, left_out), *_futures(request), *_cohort(request, left_out)]
    left_out += _rare(request.real.vocabulary.event_names, metrics)
    return Scores(metrics=tuple(metrics), left_out=tuple(left_out))


def _rare(names: tuple[str, ...], metrics: list[Metric]) -> list[str]:
    """Sentences on outcomes that a measure leaves out because they are too rare among the real patients."""
    sentences = []
    for name, mode in (("expected_observed", TEACHER_FORCED), ("expected_observed", FREE_RUN), ("c_index", FREE_RUN)):
        found = {metric.outcome for metric in metrics if (metric.name, metric.mode) == (name, mode)}
        missing = [event for event in names if event not in found]
        if missing:
            sentences.append(f"{name}.{mode}: too few first events of {', '.join(missing)}")
    return sentences


def _total(read: TeacherForced) -> Floats:
    return np.asarray(read.nll_events + read.nll_visits + read.nll_panels + read.nll_values + read.nll_entry)


def _teacher_forced(request: ScoreRequest, left_out: list[str]) -> Iterator[Metric]:
    """Likelihoods, gains, expected over observed, membership."""
    from trajsim.evaluate.utility.event_gain import nll
    from trajsim.evaluate.utility.expected_observed import teacher_forced_expected_observed
    from trajsim.learn.scoring import teacher_forced

    request.note("reading real histories")
    read = teacher_forced(request.model, request.real)
    parts = {
        "event_nll": read.nll_events, "visit_nll": read.nll_visits, "panel_nll": read.nll_panels,
        "value_nll": read.nll_values, "entry_nll": read.nll_entry, "total_nll": _total(read),
    }  # fmt: skip
    for name, values in parts.items():
        yield from nll(name, values, resampling=request.resampling)
    yield from _gains(request, read.nll_events, left_out)
    yield from teacher_forced_expected_observed(read.expected, read.observed, request.real.vocabulary.event_names)
    yield from _membership(request, _total(read), left_out)


def _gains(request: ScoreRequest, events: Floats, left_out: list[str]) -> Iterator[Metric]:
    from trajsim.evaluate.utility.event_gain import event_nll_gain, nll, share_of_reference_gain
    from trajsim.learn.baselines import (
        CoxPlus,
        RateTable,
        censored_after,
        fit_constant_rates,
        fit_cox_plus,
        fit_rate_table,
    )
    from trajsim.learn.batches import BUCKETS
    from trajsim.learn.scoring import teacher_forced

    if request.train is None or not len(request.train):
        left_out.append(
            "event_nll_gain, share_of_reference_gain: no training patients to fit the baselines on (--train)"
        )
        return
    request.note("fitting baselines")
    train, real = (censored_after(group, n_days=BUCKETS[-1]) for group in (request.train, request.real))
    legality = request.model.legality
    fitted: dict[str, RateTable | CoxPlus] = {
        "event_nll_constant": fit_constant_rates(train, legality=legality),
        "event_nll_table": fit_rate_table(train, legality=legality),
        "event_nll_table_at_risk": fit_rate_table(train, legality=legality, only_at_risk=True),
        "event_nll_cox": fit_cox_plus(train, legality=legality),
    }
    values = {name: baseline.teacher_forced(real).nll_events for name, baseline in fitted.items()}
    for name, of_patients in values.items():
        yield from nll(name, of_patients, resampling=request.resampling)
    table, cox = values["event_nll_table"], values["event_nll_cox"]
    yield from event_nll_gain(table, cox, events, resampling=request.resampling)
    at_risk = values["event_nll_table_at_risk"]
    yield from event_nll_gain(at_risk, cox, events, name="event_nll_gain_at_risk", resampling=request.resampling)
    if request.reference is None:
        left_out.append("share_of_reference_gain: no model to compare with (--reference)")
        return
    reference = teacher_forced(request.reference, request.real).nll_events
    yield from share_of_reference_gain(table, reference, events, resampling=request.resampling)


def _membership(request: ScoreRequest, held_out: Floats, left_out: list[str]) -> Iterator[Metric]:
    from trajsim.evaluate.privacy.membership_inference import membership_inference
    from trajsim.learn.scoring import teacher_forced
    from trajsim.learn.untrained import untrained

    if request.train is None or not len(request.train):
        left_out.append("membership_inference: no training patients (--train)")
        return
    request.note("looking for the training patients")
    blind = untrained(request.model)
    yield from membership_inference(
        _total(teacher_forced(request.model, request.train)), held_out,
        untrained=(_total(teacher_forced(blind, request.train)), _total(teacher_forced(blind, request.real))),
        resampling=request.resampling,
    )  # fmt: skip


def _futures(request: ScoreRequest) -> Iterator[Metric]:
    """What the model foretells of real patients from their state at entry."""
    from trajsim.evaluate.utility.c_index import c_index
    from trajsim.evaluate.utility.expected_observed import free_run_expected_observed
    from trajsim.learn.baselines import fit_cox_plus
    from trajsim.learn.scoring import risks

    request.note(f"drawing {DRAWS} futures of every patient")
    risk = risks(request.model, request.real, years=YEARS, draws=DRAWS, seed=request.seed)
    yield from free_run_expected_observed(request.real, risk, years=YEARS)
    yield from c_index(request.real, risk, years=YEARS, resampling=request.resampling)
    if request.train is not None and len(request.train):
        cox = fit_cox_plus(request.train, legality=request.model.legality).risk(request.real, years=int(YEARS))
        yield from c_index(request.real, cox, years=YEARS, name="c_index_cox", resampling=request.resampling)


def _cohort(request: ScoreRequest, left_out: list[str]) -> Iterator[Metric]:
    """How a cohort that the model draws compares with real patients."""
    from trajsim.evaluate.fidelity.autocorrelation import autocorrelation_error
    from trajsim.evaluate.fidelity.cif_by_group import cif_by_group
    from trajsim.evaluate.fidelity.cif_gap import cif_gap
    from trajsim.evaluate.fidelity.co_occurrence import co_occurrence_error
    from trajsim.evaluate.fidelity.discriminator import discriminator
    from trajsim.evaluate.fidelity.hellinger import hellinger
    from trajsim.evaluate.fidelity.illegal_transitions import illegal_transitions
    from trajsim.evaluate.fidelity.ks import ks
    from trajsim.evaluate.fidelity.lab_shift import lab_shift_error
    from trajsim.evaluate.fidelity.prevalence_error import prevalence_error
    from trajsim.evaluate.privacy.nearest_neighbors import nearest_neighbors
    from trajsim.evaluate.utility.tstr import tstr
    from trajsim.learn.sampling import sample_cohort

    if request.model.demographics is None:
        left_out.append("measures of a synthetic cohort: the checkpoint holds no demographics to draw one from")
        return
    train = request.train if request.train is not None and len(request.train) else None
    size = min(len(train) if train is not None else len(request.real), MOST_PATIENTS)
    request.note(f"drawing a cohort of {size:,} patients")
    cohort = sample_cohort(request.model, size, seed=request.seed)
    start = time.process_time()
    sample_cohort(request.model, size, seed=request.seed)  # the same again: all that it needs is compiled
    spent = time.process_time() - start
    yield from illegal_transitions(cohort, legality=request.model.legality)
    for measure in (
        cif_gap, cif_by_group, prevalence_error, ks, autocorrelation_error, lab_shift_error, co_occurrence_error,
        hellinger, discriminator, tstr, nearest_neighbors,
    ):  # fmt: skip
        request.note(f"measuring {measure.__name__}")
        found = measure(request.real, cohort, train=train, resampling=request.resampling)
        if not found:
            left_out.append(f"{measure.__name__}: too few patients, events or values")
        yield from found
    yield Metric(name="patients_per_cpu_second", mode=FREE_RUN, value=size / max(spent, 1e-9), n=size)
    if train is None:
        left_out.append("floors, trtr, nearest neighbors: no training patients (--train)")
