"""``trajsim score``: everything that is measured of a learned model, on patients that it never saw."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajsim.cli.changed_modules import changed_orders, require_marks
from trajsim.cli.console import count, say
from trajsim.cli.json_file import require_json_file, write_json_file
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` loads neither JAX nor Arrow
    from trajsim.cli.scoring import Scores
    from trajsim.event_sequences import EventSequences, Vocabulary
    from trajsim.learn.trained import TrainedModel

_SAME_MAPPING = "ingest the data with the mapping that the model was trained with"
_WIDTH = 110


def score(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A trained model.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Event sequences of `trajsim ingest`.", show_default=False)
    ],
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="CHECKPOINT", help="A model trained without privacy.", show_default=False),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            "--train",
            metavar="DIR",
            help="Whose training patients to use. Default: those of --data.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Whom to score: held_out, tuning or train.")] = "held_out",
    resamples: Annotated[int, typer.Option("--resamples", help="Resamples of patients behind an interval.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Measure a model on real patients: likelihood, calibration, ranking, and a cohort that it draws.

    Each number has its interval, and the floor that real patients reach against real ones. docs/reference/scores.md
    defines them all. Patients that a model was trained on or tuned with flatter it.

    Example: trajsim score checkpoint/ --data sequences/ --json scores.json
    """
    _require_options(split=split, resamples=resamples, json=json)
    from trajsim.cli.scoring import ScoreRequest, score_model
    from trajsim.evaluate.resampling import Resampling
    from trajsim.learn.checkpoints import read_checkpoint

    model = read_checkpoint(checkpoint)
    real, trained_on = _patients(data, train, split=split, model=model)
    scores = score_model(
        ScoreRequest(
            model=model,
            real=real,
            train=trained_on,
            reference=_reference(reference, model),
            resampling=Resampling(n_bootstrap=resamples, n_floor=min(resamples, 40), seed=seed),
            seed=seed,
            note=lambda text: say(f"{text} ...", quiet=quiet),
        )
    )
    if not quiet:  # before the file is written: a full disk must not cost the numbers
        _show(scores, n=len(real))
        for sentence in scores.left_out:
            say(f"left out: {sentence}")
    if json is not None:
        from trajsim.evaluate.metric import to_json

        write_json_file(json, to_json(scores.metrics))


def _require_options(*, split: str, resamples: int, json: Path | None) -> None:
    from trajsim.event_sequences import SPLITS

    if split not in SPLITS:
        msg = f"--split must be {', '.join(SPLITS)}, got {split!r}"
        raise ConfigError(msg)
    if resamples == 1 or resamples < 0:
        msg = f"--resamples must be 0 or at least 2, got {resamples}"
        raise ConfigError(msg)
    require_json_file(json)


def _patients(
    data: Path, train: Path | None, *, split: str, model: "TrainedModel"
) -> tuple["EventSequences", "EventSequences"]:
    """Patients to score and those that were trained on.

    Raises:
        ConfigError: There are none to score, a patient stands on both sides, or the data are of another vocabulary or
            were marked by modules that forbid what those of the model allow.
    """
    from trajsim.learn.sequence_files import read_sequences

    sequences = read_sequences(data)
    _require_vocabulary(data, sequences.vocabulary, model.spec.vocabulary)
    real = sequences.of_split(split)
    if not len(real):
        msg = f"{data}: no patient of the split {split!r} to score"
        raise ConfigError(msg, hint="choose another one with --split; a model flatters itself on patients it has seen")
    others = sequences if train is None else read_sequences(train)
    if train is not None:
        _require_vocabulary(train, others.vocabulary, model.spec.vocabulary)
    trained_on = others.of_split("train")
    both = sorted(set(real.patient_id.tolist()) & set(trained_on.patient_id.tolist()))
    if both and split != "train":
        msg = f"{train}: {count(len(both), 'patient')} to train on stand among those to score, the first {both[0]!r}"
        raise ConfigError(msg)
    require_marks(sequences, model.legality, folder=data)
    if train is not None:
        require_marks(others, model.legality, folder=train)
    return real, trained_on


def _reference(path: Path | None, model: "TrainedModel") -> "TrainedModel | None":
    if path is None:
        return None
    from trajsim.learn.checkpoints import read_checkpoint

    reference = read_checkpoint(path)
    names = model.spec.vocabulary.event_names
    _require_vocabulary(path, reference.spec.vocabulary, model.spec.vocabulary)
    orders = changed_orders(model.legality, reference.legality, names)
    if orders:
        msg = "\n".join([f"{path}: the reference was trained with modules that allow other orders of events", *orders])
        raise ConfigError(msg, hint="train both with the same modules: likelihoods of other orders cannot be compared")
    return reference


def _require_vocabulary(path: Path, found: "Vocabulary", trained: "Vocabulary") -> None:
    """Refuses events or labs that the model does not know in just this order, and labs on another scale."""
    for noun, ours, theirs in (
        ("events", found.event_names, trained.event_names),
        ("labs", found.lab_names, trained.lab_names),
    ):
        if ours != theirs:
            msg = f"{path}: expected the {noun} of the checkpoint ({', '.join(theirs)}), got {', '.join(ours)}"
            raise ConfigError(msg, hint=_SAME_MAPPING)
    wrong = [
        f"{lab.name}: expected {known.scale}, got {lab.scale}"
        for lab, known in zip(found.labs, trained.labs, strict=True)
        if lab.scale != known.scale
    ]
    if wrong:
        lines = [f"{path}: labs on another scale than the checkpoint's", *wrong]
        raise ConfigError("\n".join(lines), hint=_SAME_MAPPING)


def _show(scores: "Scores", *, n: int) -> None:
    """Prints the table, on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    console.width = max(console.width, _WIDTH)  # a key cut short names nothing
    console.print(f"scored on {count(n, 'patient')}")
    table = Table("measure", "value", "95 % interval", "floor", "n", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for metric in scores.metrics:
        interval = "" if math.isnan(metric.low) else f"{_number(metric.low)} to {_number(metric.high)}"
        table.add_row(metric.key, _number(metric.value), interval, _number(metric.floor), f"{metric.n:,}")
    console.print(table)


def _number(value: float) -> str:
    """Four decimals, or none for large numbers; nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}"
