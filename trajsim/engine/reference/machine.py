"""Process, run and rewind: how a module moves from state to state (gmf-semantics 2.2, 2.3, 2.6)."""

from trajsim.engine.reference.frames import Frame, Visit
from trajsim.engine.reference.observer import Choice, StateRun
from trajsim.engine.reference.patient import Patient
from trajsim.engine.reference.states import States
from trajsim.errors import EngineFault
from trajsim.gmf.model import CallSubmodule, Delay, Module, Procedure, Terminal


class Machine:
    """Moves the modules of one patient."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self.states = States(patient)
        self._finished_states = 0
        self._step_time = 0
        self._calls: list[str] = []

    def step(self, frame: Frame, time: int) -> bool:
        """One step of a top-level module; whether it is finished for good."""
        patient = self._patient
        patient.module = frame.module.key
        patient.stream = patient.catalogue.stream_index(frame.module.key)
        self._finished_states = 0
        self._step_time = time
        return not self._is_waiting(frame, time) and self._process(frame, time)

    def _is_waiting(self, frame: Frame, time: int) -> bool:
        """Whether the module stands in a Delay or Procedure that ends later, so that a poll changes nothing."""
        while frame.visits:
            visit = frame.current
            if not isinstance(visit.state, CallSubmodule):
                return visit.next is not None and visit.next > time
            running = self._patient.frames.get(visit.state.submodule)
            if running is None:
                return False
            frame = running
        return False

    def _process(self, frame: Frame, time: int) -> bool:
        """Runs states until one blocks; whether the module is finished.

        Calls itself for a stretch of time that lies before `time`.
        """
        patient = self._patient
        if patient.is_dead(time):
            return True
        patient.wellness_used.setdefault(patient.module, False)
        if not frame.visits:
            frame.push("Initial", patient.catalogue)
        while (exited := self._run(frame, time)) is not None:
            if exited < time and (patient.is_dead(exited) or self._process(frame, exited)):
                return True
        return isinstance(frame.current.state, Terminal)

    def _run(self, frame: Frame, time: int) -> int | None:
        """Runs the current state and, if it finishes, makes the next one current; its exit time, or None."""
        patient = self._patient
        visit = frame.current
        if patient.is_dead(time):
            return None
        if visit.entered is None:
            visit.entered = time
            if patient.observer is not None:
                patient.observer.on_enter(time=time, module=patient.module, visit=visit)
        self._begin(visit)
        first_row = len(patient.log)
        if not self._run_state(frame, visit, time):
            if isinstance(visit.state, Terminal):
                visit.exited = time
            if patient.observer is not None:
                patient.observer.on_block(self._as_seen(visit, time, first_row))
            return None
        assert visit.exited is not None
        self._leave(frame, visit, time, first_row)
        return visit.exited

    def _begin(self, visit: Visit) -> None:
        """What is counted for each run of a state starts again; the lifecycle writes what the state may look at."""
        self._patient.source = visit.source
        self._patient.reads = 0
        self._patient.tests.clear()
        if self._patient.lifecycle is not None:
            self._patient.lifecycle.begin_state(visit)

    def _run_state(self, frame: Frame, visit: Visit, time: int) -> bool:
        """Runs a state; if it is finished, sets when it was left."""
        if isinstance(visit.state, CallSubmodule):
            return self._call(frame, visit, visit.state.submodule, time)
        if not self.states.run(visit, frame, time):
            return False
        is_timed = isinstance(visit.state, Delay | Procedure) and visit.next is not None
        visit.exited = visit.next if is_timed else time
        return True

    def _leave(self, frame: Frame, visit: Visit, time: int, first_row: int) -> None:
        """Chooses the next state and makes it the current one."""
        patient = self._patient
        seen = None
        if patient.observer is not None:
            seen = self._as_seen(visit, time, first_row)
            patient.observer.on_exit(seen)
            patient.tests.clear()
        if visit.target is None:
            choice = self.states.logic.choose(visit.state.transition, frame, time)
        else:
            choice = Choice(transition=visit.state.transition, target=visit.target, event=visit.event)
        if patient.observer is not None and seen is not None:
            patient.observer.on_transition(seen, choice, tuple(patient.tests))
        frame.push(choice.target, patient.catalogue)
        self._finished_states += 1
        if self._finished_states > patient.options.step_budget:
            self._fail(f"more than {patient.options.step_budget} states finished in one step", visit)

    def _as_seen(self, visit: Visit, time: int, first_row: int) -> StateRun:
        patient = self._patient
        return StateRun(
            time=time, module=patient.module, visit=visit, rows=tuple(patient.log.rows[first_row:]),
            first_row=first_row, tests=tuple(patient.tests), lock=patient.lock,
        )  # fmt: skip

    def _call(self, frame: Frame, visit: Visit, key: str, time: int) -> bool:
        """Runs a submodule; when it is finished its history stands in the caller's, followed by the call once more."""
        patient = self._patient
        if key in self._calls:
            self._fail(f"submodule {key!r} calls itself", visit)
        running = patient.frames.setdefault(key, Frame(self._module(key)))
        self._calls.append(key)
        is_finished = self._process(running, time)
        self._calls.pop()
        self._begin(visit)
        if not is_finished:
            return False
        exited = running.current.exited
        visit.exited = time if exited is None else exited
        frame.visits += [*running.visits, visit]
        del patient.frames[key]
        return True

    def _module(self, key: str) -> Module:
        return self._patient.modules.modules[key]

    def _fail(self, message: str, visit: Visit) -> None:
        module = self._patient.module
        raise EngineFault(
            message,
            module=module if visit.file == module else f"{module} > {visit.file}",
            state=visit.state.name,
            patient_id=self._patient.patient_id,
            time_ms=self._step_time,
            hint="a loop needs a Delay, Guard or Encounter in it",
        )
