"""Public patients for pre-training: lives of the bundled modules, simulated without any model, as event sequences."""

from dataclasses import replace
from typing import TYPE_CHECKING

from trajsim.cli.console import count, say
from trajsim.cli.learning_cache import learning_cache
from trajsim.cli.life_options import LifeOptions
from trajsim.errors import TrajsimError

if TYPE_CHECKING:  # `trajsim --help` loads neither Arrow nor the engine
    from trajsim.event_sequences import EventSequences, Vocabulary
    from trajsim.gmf.model import ModuleSet

MAPPING = "records"
PRETRAINING_SEED = 20_191
_AT_ONCE = 2_500
_AGES = (21, 100)


def knows(vocabulary: "Vocabulary") -> bool:
    """Whether simulated lives can show all these events and labs."""
    from trajsim.learn.ingest.mapping_reading import read_mapping

    public = read_mapping(MAPPING).vocabulary
    return set(vocabulary.event_names) <= set(public.event_names) and set(vocabulary.lab_names) <= set(public.lab_names)


def public_patients(n_patients: int, vocabulary: "Vocabulary", *, quiet: bool = False) -> "EventSequences":
    """Simulates patients of the bundled modules, or finds those of an earlier run in the user's cache.

    Args:
        n_patients: How many lives; those without any time under observation are left out.
        vocabulary: Events and labs that are wanted, all of them known to the modules (see `knows`).
        quiet: Whether nothing is said of it.

    Returns:
        Their event sequences, with exactly this vocabulary.
    """
    from trajsim.learn.sequence_files import read_sequences, write_sequences
    from trajsim.provenance import digest_file, digest_value

    life = LifeOptions(seed=PRETRAINING_SEED, age=_AGES)
    modules = life.load_modules()
    from trajsim.learn.ingest.mapping_reading import find_mapping

    mapping = find_mapping(MAPPING)
    codes = [digest_file(path) for path in (mapping, *sorted((mapping.parent / "codes").glob("*.yaml")))]
    digests = {key: module.digest for key, module in sorted(modules.modules.items())}
    name = digest_value([n_patients, digests, codes, life.recorded(), installed_engine()])[:24]
    folder = learning_cache() / f"public-{name}"
    if folder.is_dir():
        try:
            return _only(read_sequences(folder), vocabulary)
        except TrajsimError:
            say(f"{folder}: what an earlier run kept cannot be read, so it is made again", quiet=quiet)
    say(f"simulating {count(n_patients, 'public patient')} for pre-training", quiet=quiet)
    sequences = _simulated(n_patients, life, modules)
    write_sequences(sequences, folder, report={"public": True, "n_patients": len(sequences)})
    return _only(sequences, vocabulary)


def _only(sequences: "EventSequences", vocabulary: "Vocabulary") -> "EventSequences":
    """These events and labs, and in all else the vocabulary that is asked for."""
    from trajsim.learn.selection import select_vocabulary

    return replace(select_vocabulary(sequences, vocabulary), vocabulary=vocabulary)


def installed_engine() -> str:
    """Version of trajsim, which decides what is simulated."""
    import trajsim

    return trajsim.__version__


def _simulated(n_patients: int, life: LifeOptions, modules: "ModuleSet") -> "EventSequences":
    from trajsim.engine.compile import compile_modules
    from trajsim.engine.simulate import simulate
    from trajsim.learn.ingest.apply import make_sequences
    from trajsim.learn.ingest.mapping_reading import read_mapping
    from trajsim.learn.ingest.readers.records import rows_of_records
    from trajsim.learn.selection import join_sequences
    from trajsim.population.build import build_cohort

    mapping, population, options = read_mapping(MAPPING), life.population(), life.simulation()
    first = build_cohort(population, first_patient=0, n_patients=1, seed=life.seed)
    program = compile_modules(modules, texts=first.texts(), lifecycle=options.lifecycle)
    parts = []
    for start in range(0, n_patients, _AT_ONCE):
        n = min(_AT_ONCE, n_patients - start)
        cohort = build_cohort(population, first_patient=start, n_patients=n, seed=life.seed)
        (made,) = simulate(program, cohort, options).shards(n)
        parts.append(make_sequences(rows_of_records(made.records), mapping, source="public patients")[0])
    return join_sequences(parts)
