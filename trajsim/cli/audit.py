"""``trajsim audit``: an attack on private training with patients that cannot exist, and its control without noise."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trajsim.cli.console import count, duration, say, show
from trajsim.cli.json_file import require_json_file, write_json_file
from trajsim.cli.learning_cache import keep_compiled_programs
from trajsim.errors import ConfigError

if TYPE_CHECKING:  # `trajsim --help` loads no JAX
    from trajsim.learn.audit import AuditResult
    from trajsim.learn.private import PrivacyPlan

_EXIT_FINDINGS = 1
_ONE_BATCH_IN = 3


def audit(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Event sequences of `trajsim ingest`.", show_default=False)
    ],
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.", show_default=False)
    ] = None,
    model: Annotated[str, typer.Option("--model", help="gru or transformer.")] = "gru",
    epsilon: Annotated[float, typer.Option("--epsilon", help="What the audited training claims.")] = 3.0,
    delta: Annotated[float, typer.Option("--delta", help="Of (epsilon, delta).")] = 1e-5,
    canaries: Annotated[int, typer.Option("--canaries", help="Impossible patients, each in with probability 1/2.")] = (
        1_000
    ),
    patients: Annotated[int, typer.Option("--patients", help="Patients of the data who are in too.")] = 300,
    steps: Annotated[int, typer.Option("--steps", help="Steps of each of the two trainings.")] = 20,
    insecure_seed: Annotated[
        int | None, typer.Option("--insecure-seed", help="Makes the audit repeatable.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Try to find out who was in the training data, and bound epsilon from below by the success.

    Exit code 1: a bound exceeds what is claimed, or the same attack on training without noise does not exceed it, so
    that it would not have seen a fault.

    Example: trajsim audit --data sequences/ --json audit.json
    """
    _require_options(model=model, epsilon=epsilon, canaries=canaries, patients=patients, json=json)
    kind: Literal["gru", "transformer"] = "gru" if model == "gru" else "transformer"
    keep_compiled_programs()
    from trajsim.learn.auditing import AuditSettings, audit_model
    from trajsim.learn.private import plan_privacy
    from trajsim.learn.sequence_files import read_sequences

    start = time.perf_counter()
    public_n = canaries // 2 + patients
    plan = plan_privacy(
        epsilon=epsilon, delta=delta, public_n=public_n, steps=steps, batch_size=max(1, public_n // _ONE_BATCH_IN)
    )
    settings = AuditSettings(kind=kind, n_canaries=canaries, n_patients=patients, insecure_seed=insecure_seed)
    say(f"auditing {count(steps, 'step')} at epsilon {epsilon:g} with {canaries:,} canaries", quiet=quiet)
    result = audit_model(read_sequences(data), plan=plan, settings=settings)
    if not quiet:  # before the file is written: a full disk must not cost the numbers
        _show(result)
        say(f"took {duration(time.perf_counter() - start)}")
    if json is not None:
        write_json_file(json, _numbers(plan, result))
    if not result.is_within_claim or not result.can_fail:
        raise typer.Exit(_EXIT_FINDINGS)


def _require_options(*, model: str, epsilon: float, canaries: int, patients: int, json: Path | None) -> None:
    if model not in ("gru", "transformer"):
        msg = f"--model: expected gru or transformer, got {model!r}"
        raise ConfigError(msg)
    if canaries < 1_000:
        msg = f"--canaries: expected 1,000 or more, got {canaries!r}"
        raise ConfigError(msg, hint="with fewer, training without noise would not exceed a usual claim either")
    if patients < 0 or not epsilon > 0:
        msg = f"expected a positive epsilon and 0 or more patients, got {epsilon!r} and {patients!r}"
        raise ConfigError(msg)
    require_json_file(json)


def _numbers(plan: "PrivacyPlan", result: "AuditResult") -> dict[str, Any]:
    rows = {
        name: {
            "noise_multiplier": row.noise_multiplier,
            "epsilon_clopper_pearson": row.epsilon_clopper_pearson,
            "epsilon_one_run": row.epsilon_one_run,
            "auc": row.auc,
            "canaries_in": row.n_in,
            "canaries_out": row.n_out,
        }
        for name, row in (("private", result.private), ("control", result.control))
    }
    return {
        "epsilon": plan.epsilon,
        "delta": plan.delta,
        "confidence": 1 - result.significance,
        "steps": plan.steps,
        "sampling_prob": plan.sampling_prob,
        "l2_clip_norm": plan.l2_clip_norm,
        "is_within_claim": result.is_within_claim,
        "control_exceeds_claim": result.can_fail,
        **rows,
    }


def _show(result: "AuditResult") -> None:
    show(f"{'training':<14}{'noise':>8}{'claim':>8}{'Clopper-Pearson':>17}{'one run':>9}{'AUC':>7}")
    for name, row in (("private", result.private), ("without noise", result.control)):
        claim = f"{row.epsilon:.2f}" if name == "private" else "inf"
        show(
            f"{name:<14}{row.noise_multiplier:>8.3f}{claim:>8}{row.epsilon_clopper_pearson:>17.2f}"
            f"{row.epsilon_one_run:>9.2f}{row.auc:>7.3f}"
        )
    percent = round(100 * (1 - result.significance))
    show(f"lower bounds on epsilon with {percent} % confidence; claimed: {result.private.epsilon:g}")
    if not result.is_within_claim:
        show("finding: a lower bound exceeds the claim")
    if not result.can_fail:
        show("finding: training without noise does not exceed the claim, so this audit could not have failed")
