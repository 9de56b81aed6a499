"""``trajsim fit``: a model of when events happen, trained on event sequences, with or without differential privacy."""

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trajsim.cli.changed_modules import require_marks
from trajsim.cli.console import count, duration, say
from trajsim.cli.learning_cache import keep_compiled_programs, learning_cache
from trajsim.cli.progress import TrainingBar
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` loads no JAX
    from trajsim.event_sequences import EventSequences, Legality, Vocabulary
    from trajsim.learn.fitting import FitInputs, FitSettings
    from trajsim.learn.private import PrivacyPlan

_KINDS = ("gru", "transformer")
_EXIT_INTERRUPTED = 130


def fit(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Event sequences of `trajsim ingest`.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="CHECKPOINT", help="Folder for the trained model.", show_default=False)
    ],
    model: Annotated[str, typer.Option("--model", help="gru or transformer.")] = "gru",
    epsilon: Annotated[
        float | None,
        typer.Option("--epsilon", help="Privacy budget for everything together. Default: none.", show_default=False),
    ] = None,
    delta: Annotated[float, typer.Option("--delta", help="Of (epsilon, delta).")] = 1e-5,
    public_n: Annotated[
        int | None,
        typer.Option(
            "--public-n",
            metavar="N",
            help="Training patients, as you may declare it publicly.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Use these events and labs alone, YAML.", show_default=False),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Steps of private training.")] = 600,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", help="Patients a step. Default with privacy: N / 6.", show_default=False),
    ] = None,
    l2_clip_norm: Annotated[
        float, typer.Option("--l2-clip-norm", help="Largest gradient of one patient: a public constant.")
    ] = 12.0,
    pretrain: Annotated[
        int, typer.Option("--pretrain", metavar="N", help="Simulated public patients to begin with; 0: none.")
    ] = 0,
    about: Annotated[
        str | None,
        typer.Option("--about", metavar="TEXT", help="What the data are, for the cards.", show_default=False),
    ] = None,
    released: Annotated[
        list[str] | None,
        typer.Option(
            "--released-without-noise",
            metavar="TEXT",
            help="What else is published of these patients, for the card; may be repeated.",
            show_default=False,
        ),
    ] = None,
    earlier: Annotated[
        list[str] | None,
        typer.Option(
            "--earlier-release",
            metavar="TEXT",
            help="What was released of these patients before, with privacy, for the card; may be repeated.",
            show_default=False,
        ),
    ] = None,
    insecure_seed: Annotated[
        int | None,
        typer.Option("--insecure-seed", help="For tests: whoever knows it can undo the noise.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Train a model on event sequences.

    With --epsilon each patient is protected by differential privacy: docs/concepts/privacy.md says what that means.
    The same command continues a run that was interrupted.

    Example: trajsim fit --data sequences/ --epsilon 3 --delta 1e-5 --public-n 9000 --out checkpoint/
    """
    _require_options(
        {"--model": model, "--pretrain": pretrain, "--batch-size": batch_size, "--steps": steps, "--out": out},
        texts={"--released-without-noise": released, "--earlier-release": earlier},
    )
    kind: Literal["gru", "transformer"] = "gru" if model == "gru" else "transformer"
    keep_compiled_programs()
    from trajsim.learn.fitting import FitInputs, FitSettings, make_plan, require_fit
    from trajsim.learn.fitting import fit as train_model
    from trajsim.learn.sequence_files import read_sequences

    start = time.perf_counter()
    settings = FitSettings(
        kind=kind,
        epsilon=epsilon,
        delta=delta,
        public_n=public_n,
        steps=steps,
        batch_size=batch_size,
        l2_clip_norm=l2_clip_norm,
        insecure_seed=insecure_seed,
    )
    sequences = chosen_events(read_sequences(data), events)
    legality, modules = bundled_legality(sequences.vocabulary)
    inputs = FitInputs(
        sequences=sequences,
        legality=legality,
        modules=modules,
        about=about or f"event sequences {data.name!r}",
        released_without_noise=released or (),
        earlier_releases=earlier or (),
        cache=learning_cache(),
    )
    require_fit(settings, inputs, out)
    require_marks(sequences, legality, folder=data)
    plan = make_plan(settings, sequences)
    _announce(plan, sequences, settings, quiet=quiet)
    inputs = _with_public(inputs, pretrain, quiet=quiet)
    try:
        with TrainingBar(quiet=quiet) as bar:
            train_model(inputs, settings, out, plan=plan, watch=bar.watch)
    except KeyboardInterrupt:
        say(f"interrupted; the same command continues from {out.name}.resume", quiet=quiet)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    spent = "infinity" if plan is None else f"{plan.epsilon_after(plan.steps):.4f} (delta {plan.delta:g})"
    say(f"wrote {out} in {duration(time.perf_counter() - start)}: epsilon = {spent}", quiet=quiet)


def _require_options(given: dict[str, object], *, texts: dict[str, list[str] | None]) -> None:
    """Refuses what no training could begin with, all of it at once."""
    faults = []
    if given["--model"] not in _KINDS:
        faults.append(f"--model: expected one of {', '.join(_KINDS)}, got {given['--model']!r}")
    for option, least in (("--pretrain", 0), ("--batch-size", 1), ("--steps", 1)):
        number = given[option]
        if isinstance(number, int) and number < least:
            faults.append(f"{option}: expected {least} or more, got {number!r}")
    for option, sentences in texts.items():
        if any(not text.strip() for text in sentences or ()):
            faults.append(f"{option}: expected a sentence for the privacy card, got an empty text")
    out = given["--out"]
    if isinstance(out, Path):
        there = next(folder for folder in out.absolute().parents if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            faults.append(f"--out {str(out)!r}: {there} is no folder that may be written to")
    if faults:
        raise ConfigError("\n".join(faults))


def chosen_events(sequences: "EventSequences", events: Path | None) -> "EventSequences":
    """The events and labs that a file names, or all."""
    if events is None:
        return sequences
    if not events.is_file():
        msg = f"--events {str(events)!r}: no such file"
        raise ConfigError(msg)
    from trajsim.learn.ingest.mapping_reading import read_mapping
    from trajsim.learn.selection import select_vocabulary

    return select_vocabulary(sequences, read_mapping("records", events=events).vocabulary)


def bundled_legality(vocabulary: "Vocabulary") -> tuple["Legality", dict[str, str]]:
    """What the bundled modules allow to follow what, and the digest of each of them that is bound to an event."""
    from trajsim.cli.legality import legality_of
    from trajsim.cli.life_options import LifeOptions

    modules = LifeOptions(seed=0).load_modules()
    names = set(vocabulary.event_names)
    bound = {
        key: module.digest
        for key, module in sorted(modules.modules.items())
        if any(state.trajsim is not None and names & set(state.trajsim.events) for state in module.states.values())
    }
    return legality_of(modules, vocabulary), bound


def _with_public(inputs: "FitInputs", n_patients: int, *, quiet: bool) -> "FitInputs":
    from dataclasses import replace

    from trajsim.cli.pretraining import knows, public_patients

    if not n_patients:
        return inputs
    vocabulary = inputs.sequences.vocabulary
    if not knows(vocabulary):
        say("no pre-training: the bundled modules do not know all of these events and labs", quiet=quiet)
        return inputs
    public = public_patients(n_patients, vocabulary, quiet=quiet)
    what = f"{count(len(public), 'patient')} simulated from the bundled modules without a model: public"
    return replace(inputs, public=public, pre_training=what)


def _announce(plan: "PrivacyPlan | None", sequences: "EventSequences", settings: "FitSettings", *, quiet: bool) -> None:
    n = len(sequences.of_split("train"))
    if plan is None:
        say(f"training on {count(n, 'patient')} without privacy: epsilon = infinity", quiet=quiet)
        return
    say(
        f"training with epsilon {plan.epsilon:g}, delta {plan.delta:g}: {plan.steps:,} steps of about "
        f"{count(plan.batch_size, 'patient')}, noise {plan.noise_multiplier:.3f} times the clip norm "
        f"{plan.l2_clip_norm:g}",
        quiet=quiet,
    )
    if not math.isclose(n, plan.public_n, rel_tol=0.1):
        say(f"note: --public-n says {plan.public_n:,}, the data hold another number of training patients", quiet=quiet)
    if settings.insecure_seed is not None:
        say("warning: --insecure-seed: whoever knows the seed can undo the noise", quiet=quiet)
