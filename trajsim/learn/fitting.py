"""From event sequences to a checkpoint: public pre-training, training, calibration, cards.

Everything that can be wrong is found before the first patient is read by a model. A killed run goes on when it is
started again with the same settings.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
from flax import serialization

from trajsim.errors import ConfigError, DataFileError
from trajsim.event_sequences import EventSequences, Legality
from trajsim.learn.batches import pad
from trajsim.learn.calibration import calibrate, release_counts, release_demographics, release_entry, releases_of
from trajsim.learn.card_writing import Provenance, cards_of, make_model_card, make_privacy_card
from trajsim.learn.checkpoint_files import FILES, Tree, host_tree, require_checkpoint_folder, write_durably
from trajsim.learn.checkpoints import read_checkpoint, write_checkpoint
from trajsim.learn.entry_moments import fit_conditions, with_conditions_of
from trajsim.learn.loss import PRIVATE_WEIGHTS, WEIGHTS, Loss
from trajsim.learn.models.network import initial_parameters
from trajsim.learn.models.specification import ModelSpecification
from trajsim.learn.private import (
    L2_CLIP_NORM,
    STEPS,
    PrivacyPlan,
    SecretKeys,
    plan_privacy,
    train_privately,
    wrapped_key,
)
from trajsim.learn.resuming import ResumeFolder
from trajsim.learn.selection import digest_sequences
from trajsim.learn.trained import TrainedModel
from trajsim.learn.training import Rows, TrainingProgress, TrainingSettings, train

# Light: a longer pre-training makes the model so sure of the rules that private steps cannot undo it (docs/concepts).
PRETRAINING = TrainingSettings(n_epochs=6, batch_size=512, learning_rate=0.006, patience=6)
LEARNING_RATES = {"gru": 0.004, "transformer": 0.008}
"""Of training without privacy: the best of those tried on the tuning split (docs/reference/flagship.md)."""
BATCH_SIZE = 256
DELTA = 1e-5
WIDTH = 32
PRIVATE_WIDTH = 12
_FIRST_KEY = b"trajsim0"  # of the first weights: public, the same for everybody

Stage = Literal["pre-training", "training", "calibration"]
Watch = Callable[[Stage, TrainingProgress], None]


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What is trained and what it may spend.

    Attributes:
        kind: ``gru`` or ``transformer``.
        epsilon: Budget for everything together; None trains without privacy.
        delta: Of (epsilon, delta).
        public_n: Number of training patients as it is declared publicly; needed with epsilon.
        steps: Steps of private training.
        batch_size: Expected patients a step of private training, a sixth of `public_n` by default; patients a step
            otherwise.
        l2_clip_norm: Largest norm of one patient's gradient.
        insecure_seed: Makes a private run repeatable, and worthless against whoever knows the seed.
        pretraining: Of public pre-training.
    """

    kind: Literal["gru", "transformer"] = "gru"
    epsilon: float | None = None
    delta: float = DELTA
    public_n: int | None = None
    steps: int = STEPS
    batch_size: int | None = None
    l2_clip_norm: float = L2_CLIP_NORM
    insecure_seed: int | None = None
    pretraining: TrainingSettings = field(default_factory=lambda: PRETRAINING)

    @property
    def training(self) -> TrainingSettings:
        """Of training without privacy."""
        return TrainingSettings(
            n_epochs=40,
            batch_size=self.batch_size or BATCH_SIZE,
            learning_rate=LEARNING_RATES[self.kind],
            patience=6,
        )

    @property
    def width(self) -> int:
        """Numbers that the core carries: fewer under privacy, where every weight costs noise."""
        return WIDTH if self.epsilon is None else PRIVATE_WIDTH

    @property
    def weights(self) -> Mapping[str, float]:
        """Weights of the parts of the loss."""
        return WEIGHTS if self.epsilon is None else PRIVATE_WEIGHTS

    def __post_init__(self) -> None:
        """Checks what belongs together.

        Raises:
            ConfigError: epsilon without a public number of patients, or what belongs to privacy without epsilon.
        """
        if self.epsilon is not None and self.public_n is None:
            msg = "training with privacy needs the number of patients as you may declare it publicly"
            raise ConfigError(msg, hint="give --public-n N; N itself is not protected, so round it")
        if self.epsilon is not None:
            return
        begun = {"public_n": None, "delta": DELTA, "steps": STEPS, "l2_clip_norm": L2_CLIP_NORM}
        given = [f"{name} {getattr(self, name)!r}" for name, value in begun.items() if getattr(self, name) != value]
        if given:
            msg = f"no epsilon is given, and only training with privacy knows {', '.join(given)}"
            raise ConfigError(msg, hint="give --epsilon E, or leave them out")


@dataclass(frozen=True, kw_only=True, eq=False)
class FitInputs:
    """What is trained on.

    Attributes:
        sequences: Patients of all splits.
        public: Public patients to begin with, with the same events and labs; None for none.
        legality: What may follow what; first occurrences when None.
        about: What the data are, in words that may be published.
        pre_training: What the public patients are.
        modules: sha256 of every bound module by name.
        released_without_noise: What else was published of the same patients, without noise.
        earlier_releases: What was released earlier of the same patients, with privacy.
        cache: Folder that keeps pre-trained parameters; None for none.
    """

    sequences: EventSequences
    public: EventSequences | None = None
    legality: Legality | None = None
    about: str = "event sequences of the user"
    pre_training: str = "none"
    modules: Mapping[str, str] = field(default_factory=dict)
    released_without_noise: Sequence[str] = ()
    earlier_releases: Sequence[str] = ()
    cache: Path | None = None


def make_plan(settings: FitSettings, sequences: EventSequences) -> PrivacyPlan | None:
    """The privacy plan of a training; None where it is not private.

    Raises:
        ConfigError: A value is out of range.
        PrivacyError: No noise keeps the budget.
    """
    if settings.epsilon is None or settings.public_n is None:
        return None
    if not 0 < settings.epsilon < math.inf:
        msg = f"epsilon: expected a positive number, got {settings.epsilon!r}"
        raise ConfigError(msg)
    has_entry = len(sequences.vocabulary.events) > 1
    return plan_privacy(
        epsilon=settings.epsilon,
        delta=settings.delta,
        public_n=settings.public_n,
        batch_size=settings.batch_size,
        steps=settings.steps,
        l2_clip_norm=settings.l2_clip_norm,
        releases=releases_of(settings.epsilon, has_entry=has_entry),
    )


def require_fit(settings: FitSettings, inputs: FitInputs, out: Path) -> None:
    """Refuses what cannot be trained, before anything is trained.

    Raises:
        ConfigError: All that is wrong, at once.
    """
    faults = []
    counts = {name: len(inputs.sequences.of_split(name)) for name in ("train", "tuning")}
    if not counts["train"]:
        faults.append("no patient of the event sequences is in the split train")
    if settings.epsilon is None and not counts["tuning"]:
        faults.append("no patient of the event sequences is in the split tuning, which says when to stop")
    if inputs.public is not None and inputs.public.vocabulary != inputs.sequences.vocabulary:
        faults.append("the public patients have other events or labs")
    if faults:
        msg = "; ".join(faults)
        raise ConfigError(msg)
    require_checkpoint_folder(out)
    standing = [name for name in FILES if (out / name).exists()]
    if standing:
        lacking = "" if len(standing) == len(FILES) else f", or what is left of one ({', '.join(standing)})"
        msg = f"{out}: a finished checkpoint stands here{lacking}"
        hint = "choose another folder; a second training on the same patients spends its epsilon on top of the first"
        left = ResumeFolder.path_beside(out)
        if left.exists():
            hint += f"; remove {left.name}, which holds the keys of the training that is done"
        raise ConfigError(msg, hint=hint)


def fit(
    inputs: FitInputs,
    settings: FitSettings,
    out: Path,
    *,
    plan: PrivacyPlan | None,
    watch: Watch | None = None,
) -> TrainedModel:
    """Trains a model and writes its checkpoint.

    Args:
        inputs: What is trained on.
        settings: What is trained.
        out: Folder of the checkpoint; a folder beside it keeps what a killed run needs, and is removed at the end.
        plan: What `make_plan` made of the same settings.
        watch: Told how far it is.

    Returns:
        The model as it was written.

    Raises:
        ConfigError: Something cannot be trained as asked; found before training.
        PrivacyError: A promise that cannot be kept.
    """
    require_fit(settings, inputs, out)
    people = inputs.sequences.of_split("train")
    spec = ModelSpecification(vocabulary=inputs.sequences.vocabulary, kind=settings.kind, width=settings.width)
    legality = inputs.legality or Legality.first_occurrences(spec.n_events)
    first = _begin(spec, legality, inputs, settings, watch)
    resume = ResumeFolder.beside(out, run=_run_of(inputs, settings, first, legality))
    keys = SecretKeys.of_run(resume, insecure_seed=settings.insecure_seed) if plan is not None else None
    buckets: list[Rows] = [bucket.rows for bucket in pad(people, legality)]
    loss = Loss(spec, settings.weights)
    if plan is not None and keys is not None:
        parameters = train_privately(
            loss, first, buckets, plan=plan, keys=keys, resume=resume, progress=_watcher(watch, "training")
        )
    else:
        tuning: list[Rows] = [bucket.rows for bucket in pad(inputs.sequences.of_split("tuning"), legality)]
        result = train(
            loss,
            first,
            buckets,
            tuning=tuning,
            settings=settings.training,
            resume=resume,
            progress=_watcher(watch, "training"),
        )
        parameters = result.parameters
    counts = loss.counts if plan is None else loss.bounded_counts
    calibrated = calibrate(parameters, release_counts(counts, parameters, buckets, plan=plan, keys=keys))
    demographics = release_demographics(people, plan=plan, keys=keys)
    moments = release_entry(people, plan=plan, keys=keys)
    if moments is not None:
        if plan is not None:  # nothing trained them: noise alone has moved them
            calibrated = with_conditions_of(spec, calibrated, first)
        calibrated = fit_conditions(spec, calibrated, moments, demographics)
    model = TrainedModel(
        spec=spec,
        params=host_tree(calibrated),
        legality=legality,
        demographics=demographics,
    )
    write_checkpoint(model, out, cards=_cards(model, inputs, settings, plan), modules=inputs.modules)
    resume.remove()
    return read_checkpoint(out)


def _begin(
    spec: ModelSpecification, legality: Legality, inputs: FitInputs, settings: FitSettings, watch: Watch | None
) -> Tree:
    """Parameters to begin with: public priors, or what public patients teach."""
    first = initial_parameters(spec, wrapped_key(_FIRST_KEY))
    if inputs.public is None:
        return first
    kept = None
    if inputs.cache is not None:
        name = "-".join((spec.kind, digest_sequences(inputs.public)[:16], _digest_text(settings.pretraining, first)))
        kept = inputs.cache / f"pretrained-{name}.msgpack"
        if kept.is_file():
            try:
                return serialization.from_bytes(first, kept.read_bytes())
            except (ValueError, KeyError) as error:
                msg = f"{kept}: pre-trained parameters are damaged: {error}"
                raise DataFileError(msg, hint="remove the file") from error
    buckets: list[Rows] = [bucket.rows for bucket in pad(inputs.public, legality)]
    loss, told = Loss(spec, settings.weights), _watcher(watch, "pre-training")
    result = train(loss, first, buckets, settings=settings.pretraining, progress=told)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_durably(kept, serialization.to_bytes(host_tree(result.parameters)))
    return result.parameters


def _digest_text(settings: TrainingSettings, first: Tree) -> str:
    """Short digest of the settings and of the shapes and values that training begins with."""
    total = hashlib.sha256(repr(settings).encode())
    total.update(serialization.to_bytes(host_tree(first)))
    return total.hexdigest()[:16]


def _run_of(inputs: FitInputs, settings: FitSettings, first: Tree, legality: Legality) -> dict[str, Any]:
    """What must be the same for a killed run to go on."""
    names = inputs.sequences.vocabulary.event_names
    return {
        **asdict(settings),
        "sequences": digest_sequences(inputs.sequences),
        "first_parameters": _digest_text(settings.pretraining, first),
        "modules": dict(inputs.modules),
        "orders": {" ".join(order): "forbidden" for order in legality.forbidden_orders(names)},
    }


def _watcher(watch: Watch | None, stage: Stage) -> Callable[[TrainingProgress], None] | None:
    if watch is None:
        return None
    return lambda progress: watch(stage, progress)


def _cards(
    model: TrainedModel, inputs: FitInputs, settings: FitSettings, plan: PrivacyPlan | None
) -> dict[str, dict[str, Any] | str]:
    trained: dict[str, float | int | str]
    if plan is not None:
        trained = {
            "optimizer": "DP-Adam",
            "peak_learning_rate": plan.peak_learning_rate,
            "steps": plan.steps,
            "expected_batch_size": plan.batch_size,
        }
    else:
        trained = {
            "optimizer": "Adam",
            "learning_rate": settings.training.learning_rate,
            "most_epochs": settings.training.n_epochs,
            "batch_size": settings.training.batch_size,
        }
    provenance = Provenance(
        data=inputs.about,
        pre_training=inputs.pre_training if inputs.public is not None else "none",
        is_insecure=settings.insecure_seed is not None,
        released_without_noise=inputs.released_without_noise,
        earlier_releases=inputs.earlier_releases,
        settings=trained,
        modules=inputs.modules,
        min_age_years=model.min_age_years,
    )
    privacy = make_privacy_card(plan, provenance)
    n_parameters = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    card = make_model_card(
        kind=model.spec.kind,
        n_parameters=n_parameters,
        vocabulary=model.spec.vocabulary,
        epsilon=privacy.epsilon,
        provenance=provenance,
    )
    return cards_of(privacy, card)
