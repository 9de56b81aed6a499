"""Modules compiled to a program: the flat tables that the virtual machine runs.

Compilation decides nothing about meaning; it gives names their slots, turns conditions into jumps and quantities into
units of time. The order is fixed, so that the same modules give the same program.
"""

from collections.abc import Iterable

import numpy as np

from trajsim.engine import compile_lifecycle
from trajsim.engine.compile_frames import Frames, atoms_of, conditions_of
from trajsim.engine.compile_heap import Heap, java_hash, sign_decimals
from trajsim.engine.compile_logic import LogicCompiler
from trajsim.engine.compile_states import Names, StateCompiler
from trajsim.engine.compile_transitions import TransitionCompiler
from trajsim.engine.events import PROCESS_SOURCES, Catalogue
from trajsim.engine.lifecycle_slots import DAYS_UNTIL_DEATH, ON_MENTION
from trajsim.engine.opcodes import GuardPoll
from trajsim.engine.program import HEADER_DTYPE, STATE_DTYPE, Program, capacity_for, sections
from trajsim.gmf import model as gmf
from trajsim.gmf.mentions import mentioned_attributes
from trajsim.lifecycle.profile import Lifecycle
from trajsim.streams.keys import stream_id

_ROWS_SLACK = 64


def compile_modules(
    modules: gmf.ModuleSet,
    *,
    texts: Iterable[str] = (),
    catalogue: Catalogue | None = None,
    lifecycle: Lifecycle = Lifecycle.DEFAULT,
) -> Program:
    """Compiles a set of modules.

    Args:
        modules: Modules without error findings (see `trajsim.gmf.check`).
        texts: Every text that attributes of the cohort may hold (`Cohort.texts`).
        catalogue: A catalogue of the same modules and texts, if there is one already.
        lifecycle: What happens beside the modules; a run must ask for the same.

    Returns:
        The program; the same arguments give the same program.

    Raises:
        CompileError: The modules need more slots than the largest patient record has, or hold something that has no
            compiled form.
    """
    if catalogue is None:
        catalogue = Catalogue(modules, extra_strings=texts)
    return _Linker(modules, catalogue, lifecycle).program()


class _Linker:
    """Compiles all files of a set into one program."""

    def __init__(self, modules: gmf.ModuleSet, catalogue: Catalogue, lifecycle: Lifecycle) -> None:
        self.modules = modules
        self.catalogue = catalogue
        self.lifecycle = lifecycle
        self.heap = Heap(catalogue, ())
        files = {key: modules.modules[key] for key in sorted(modules.modules)}
        self.files = files
        state_index = {
            (key, name): catalogue.state_index(key, name) for key, module in files.items() for name in module.states
        }
        self.sources = {key: {name: state_index[key, name] for name in module.states} for key, module in files.items()}
        self.frames = Frames(files, state_index)
        self._register()
        self.names = Names(self.heap, files)
        self.states = np.zeros(len(catalogue.sources), dtype=STATE_DTYPE).view(np.recarray)
        self._defaults()

    def _register(self) -> None:
        """Gives slots to all names before the first state is compiled: order must not depend on use."""
        symptoms: set[str] = set()
        if self.lifecycle is not Lifecycle.NONE:
            compile_lifecycle.register(self.heap, self.modules)
        for module in self.files.values():
            for state in module.states.values():
                match state:
                    case gmf.Symptom():
                        symptoms.add(state.symptom)
                    case gmf.VitalSign(distribution=None, range=None):
                        pass
                    case gmf.VitalSign():
                        self.heap.generated_signs.add(state.vital_sign)
                for attribute in (*_attribute_references(state), getattr(state, "reason", None)):
                    if attribute is not None:
                        self.heap.attribute(attribute)
                for condition in conditions_of(state):
                    for atom in atoms_of(condition):
                        for attribute in _attribute_references(atom):
                            self.heap.attribute(attribute)
                        if isinstance(atom, gmf.ObservationCondition):
                            for code in atom.codes:
                                self.heap.watched(code)
                        elif isinstance(atom, gmf.SymptomCondition):
                            symptoms.add(atom.symptom)
        for symptom in sorted(symptoms, key=_code_units):
            self.heap.symptom(symptom)

    def _defaults(self) -> None:
        rows = self.states
        rows["name"] = rows["prior"] = rows["assign"] = rows["table"] = rows["code"] = -1
        rows["decimals"] = -1
        rows["tf"] = 1.0
        rows["tu"] = 1
        for position, source in enumerate(PROCESS_SOURCES):
            rows[position].name = self.heap.name(source.state)

    def program(self) -> Program:
        """Compiles every file and lays out the patient's record."""
        targets = self.sources
        for key, module in self.files.items():
            logic = LogicCompiler(self.heap, self.frames.memory[self.frames.index[key]].prior)
            compiler = StateCompiler(self.heap, self.frames, self.names, module, targets[key], logic)
            transitions = TransitionCompiler(self.heap, logic, targets[key], self.modules.tables)
            for name, state in module.states.items():
                start = targets[key][name]
                stop = start + 1
                while stop < len(self.catalogue.sources) and self.catalogue.sources[stop].child >= 0:
                    stop += 1
                rows = [self.states[position] for position in range(start, stop)]
                for row in rows:
                    row.file = self.frames.index[key]
                compiler.compile(rows[0], rows[1:], state)
                row = rows[0]
                if self.lifecycle is not Lifecycle.NONE:
                    self._mention(row, state)
                row.tk, row.o0, row.o1, row.table = transitions.compile(state.transition)
        header = self._header()
        return Program(
            modules=self.modules,
            catalogue=self.catalogue,
            header=header,
            states=self.states,
            options=self.heap.option_array(),
            nodes=self.heap.node_array(),
            tables=self.heap.table_array(),
            integers=self.heap.integer_array(),
            floats=self.heap.float_array(),
            strings=tuple(self.heap.strings),
            string_index=self.heap.string_index,
            attributes=tuple(self.heap.attributes),
            attribute_index=dict(self.heap.attributes),
            signs=tuple(self.heap.signs),
            file_keys=tuple(self.frames.keys),
            series=tuple(self.heap.series),
            lifecycle=self.lifecycle,
            capacity=capacity_for(int(header["n_words"][0]), int(header["n_floats"][0])),
            bound_events=tuple(self.heap.bound_events),
            bound_labs=tuple(self.heap.bound_labs),
            standing=tuple(_most_events(self.files[key]) for key in self.frames.keys),
        )

    def _mention(self, row: np.record, state: gmf.State) -> None:
        """Marks a state that mentions what the lifecycle writes only then; a guard on that is tested at every step.

        A guard on the days until death is woken when a death becomes known, and tested at every step from then on.
        """
        mentioned = mentioned_attributes(state, self.modules) & ON_MENTION
        row.mentions = compile_lifecycle.groups_of(mentioned)
        if isinstance(state, gmf.Guard) and mentioned and row.e == 0:
            row.e = int(GuardPoll.ONCE_DYING if mentioned == {DAYS_UNTIL_DEATH} else GuardPoll.ALWAYS)

    def _header(self) -> np.recarray:
        heap, frames = self.heap, self.frames
        header = np.zeros(1, dtype=HEADER_DTYPE).view(np.recarray)
        h = header[0]
        compile_lifecycle.write(h, heap, self.modules, self.lifecycle)
        top = list(self.modules.top_level())
        n_streams, n_files = len(self.catalogue.streams), len(frames.keys)
        h.z_module_file = heap.integers(frames.index[module.key] for module in top)
        h.z_file_initial = heap.integers(self.sources[key].get("Initial", -1) for key in frames.keys)
        h.z_file_prior = heap.integers(_ranges([list(memory.prior.values()) for memory in frames.memory]))
        h.z_file_pending = heap.integers(_ranges([list(memory.pending.values()) for memory in frames.memory]))
        h.z_stream_number = heap.integers(self.catalogue.stream_ids)
        h.n_symptom_slots = self._symptom_slots(h, len(top), [module.key for module in top])
        h.z_sign_decimals = heap.integers(sign_decimals(sign) for sign in heap.signs)
        h.z_sign_number = heap.integers(stream_id(f"vital:{sign}") for sign in heap.signs)
        h.z_string_rank, h.z_string_fold = self._string_orders()
        n_codes = len(heap.codes)
        h.z_code_text = heap.integers(heap.code_text(code) for code in range(n_codes))
        h.z_code_hash = heap.integers(java_hash(text) for text in heap.code_texts)
        h.n_streams, h.n_modules, h.n_files = n_streams, len(top), n_files
        h.n_attributes, h.n_codes, h.n_symptoms = len(heap.attributes), n_codes, len(heap.symptoms)
        h.n_signs, h.n_watched = len(heap.signs), heap.n_watched
        texts = len(heap.code_texts)
        h.n_texts = texts
        words = {
            "w_draws": n_streams, "w_ordinals": n_streams, "w_done": len(top), "w_wake": len(top), "w_mask": len(top),
            "w_flag": len(top), "w_current": n_files, "w_due": n_files, "w_exit": n_files, "w_ran": n_files,
            "w_earliest": n_files,
            "w_prior_seq": frames.n_prior, "w_prior_exit": frames.n_prior, "w_pending": frames.n_pending,
            "w_attribute": len(heap.attributes), "w_present": texts, "w_present_name": texts, "w_present_seq": texts,
            "w_chronic": texts, "w_chronic_name": texts, "w_resolved": int(h.n_symptom_slots),
            "w_sign": len(heap.signs), "w_sign_state": len(heap.signs), "w_watched": heap.n_watched,
            "w_watched_tag": heap.n_watched, "w_coerced": len(self.states) // 62 + 1,
        }  # fmt: skip
        floats = {
            "f_attribute": len(heap.attributes), "f_symptom": int(h.n_symptom_slots), "f_sign": len(heap.signs),
            "f_watched": heap.n_watched,
        }  # fmt: skip
        h.n_words, h.n_floats = sections(h, words), sections(h, floats)
        onsets = frames.n_pending + sum(len(s.reactions) for m in self.files.values() for s in m.states.values()
                                        if isinstance(s, gmf.AllergyOnset))  # fmt: skip
        h.max_rows = _ROWS_SLACK + texts // 2 + onsets * 2 + self._most_children()
        return header

    def _most_children(self) -> int:
        """The most events that one state with children writes (an imaging study may draw its series)."""
        most = 0
        for module in self.files.values():
            for state in module.states.values():
                match state:
                    case gmf.MultiObservation(observations=children) | gmf.DiagnosticReport(observations=children):
                        most = max(most, 2 * len(children))
                    case gmf.SupplyList(supplies=supplies):
                        most = max(most, len(supplies))
                    case gmf.ImagingStudy():
                        most = max(most, len(state.series), state.max_number_series)
        return most

    def _symptom_slots(self, h: np.record, n_modules: int, keys: list[str]) -> int:
        """A slot for every (symptom, top-level module that may set it), symptoms first, modules in run order."""
        position = {key: number for number, key in enumerate(keys)}
        setters: dict[int, set[int]] = {number: set() for number in self.heap.symptoms.values()}
        for key, module in self.files.items():
            tops = {position[top] for top in self.frames.top_of[self.frames.index[key]]}
            for state in module.states.values():
                if isinstance(state, gmf.Symptom):
                    setters[self.heap.symptom(state.symptom)] |= tops
        matrix: list[int] = []
        ranges: list[int] = []
        slot = 0
        for symptom in sorted(setters):
            row = [-1] * n_modules
            ranges.append(slot)
            for number in sorted(setters[symptom]):
                row[number] = slot
                slot += 1
            ranges.append(slot)
            matrix += row
        h.z_symptom_slot = self.heap.integers(matrix)
        h.z_symptom_range = self.heap.integers(ranges)
        return slot

    def _string_orders(self) -> tuple[int, int]:
        strings = self.heap.strings
        ordered = sorted(range(len(strings)), key=lambda position: _code_units(strings[position]))
        rank = [0] * len(strings)
        for place, position in enumerate(ordered):
            rank[position] = place
        folds: dict[str, int] = {}
        fold = [folds.setdefault(text.lower(), len(folds)) for text in strings]
        return self.heap.integers(rank), self.heap.integers(fold)


def _code_units(text: str) -> bytes:
    """Sorts texts by UTF-16 code units, as Java does."""
    return text.encode("utf-16-be", "surrogatepass")


def _attribute_references(thing: gmf.State | gmf.Condition) -> Iterable[str]:
    """Attributes that a state or condition reads or writes by a plain key."""
    for key in ("attribute", "assign_to_attribute", "referenced_by_attribute", "value_attribute"):
        name = getattr(thing, key, None)
        if name is not None:
            yield name


def _most_events(module: gmf.Module) -> int:
    """The most events that one Delay of a file is bound to."""
    return max([0, *(0 if state.trajsim is None else len(state.trajsim.events) for state in module.states.values())])


def _ranges(slots: list[list[int]]) -> list[int]:
    """Start and end of each file's block of consecutive slots."""
    flat: list[int] = []
    for block in slots:
        flat += [min(block), max(block) + 1] if block else [0, 0]
    return flat
