"""A trained recurrent network as a formula: what `trajsim.learn.answers` answers, in arithmetic that anybody can do.

The networks in `trajsim.learn.models` are the definition. What they do with their parameters is written down here a
second time, and a test holds the two to the same answers; the features are the very functions that training uses.
"""

from types import ModuleType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from trajsim.formula import Formula, Operation
from trajsim.learn.features import (
    DAYS_PER_YEAR,
    GAP,
    IS_ENTRY,
    LIFELONG_STAY_YEARS,
    clock_features,
    mark_features,
    scaled_bmi,
    still_features,
)
from trajsim.learn.loss import MOST_LOG_HAZARD
from trajsim.learn.models.heads import ENTRY_GAP, GAP_EDGES, LEAST_LOG_SCALE, MOST_LOG_SCALE, NO_PANEL
from trajsim.learn.pieces import HALF_A_DAY_YEARS, OFFSET_DAYS, PIECE_DAYS
from trajsim.learn.sheet import Cells, Sheet
from trajsim.learn.trained import TrainedModel


def write_out(model: TrainedModel) -> Formula | None:
    """The formula of a model; None where its core is no gated recurrent unit."""
    return _Writer(model).formula() if model.spec.kind == "gru" else None


class _Writer:
    """One model on its way to a sheet."""

    def __init__(self, model: TrainedModel) -> None:
        self._spec = spec = model.spec
        self._params = model.params["params"]
        self._sheet = s = Sheet()
        k, v = spec.n_events, spec.n_labs
        # The question, in the order of `trajsim.formula.Formula`.
        inputs, self._now = s.cells(3), s.cells(k + 1)
        self._measured, self._values = s.cells(v), s.cells(v)
        self._age, self._is_male, self._bmi = inputs[0:1], inputs[1:2], inputs[2:3]
        # The memory, as `trajsim.learn.stepping.Memory` has it; what a recurrent unit carries is what the heads read.
        self._core, self._still, self._held = s.cells(spec.width), s.cells(spec.n_features - spec.n_clock), s.cells(k)
        self._last, self._has, self._value_age = s.cells(v), s.cells(v), s.cells(v)
        self._entry_age, self._step_age, self._started = s.cells(1), s.cells(1), s.cells(1)

    def formula(self) -> Formula:
        """Part by part."""
        s = self._sheet
        self._step()
        s.end_part()
        answers = {"log_hazard": self._hazards()}
        s.end_part()
        features = self._features(self._step_age)
        gap = s.maximum(self._age - self._step_age, 0.0)
        mark = mark_features(self._xp, gap_years=gap, now=self._now[: self._spec.n_events])
        given = s.concatenate([features, self._core, mark])
        answers |= self._mixtures(given)
        s.end_part()
        answers |= self._together(s.concatenate([features, self._core]), given)
        s.end_part()
        return s.formula(answers=answers, n_components=self._spec.components)

    @property
    def _xp(self) -> ModuleType:
        """The sheet, as the functions of `trajsim.learn.features` want it."""
        return cast("ModuleType", self._sheet)

    def _head(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self._params["heads"][name], dtype=np.float64)

    def _features(self, age: Cells) -> Cells:
        clock = clock_features(
            self._xp, age_years=age, is_male=self._is_male, entry_age_years=self._entry_age,
            value_age_years=self._value_age, has=self._has, longest_stay_years=LIFELONG_STAY_YEARS,
        )  # fmt: skip
        return self._sheet.concatenate([clock, self._still])

    # --- a step ---------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """The memory after a step."""
        s, k = self._sheet, self._spec.n_events
        events = self._now[:k]
        gap = s.where(self._started, self._age - self._step_age, 0.0)
        is_entry = 1.0 - self._started
        value = s.where(self._measured, self._scaled(), 0.0)
        s.copy(s.maximum(self._held, events), self._held)
        s.copy(s.where(self._measured, value, self._last), self._last)
        s.copy(s.maximum(self._has, self._measured), self._has)
        s.copy(s.where(self._measured, self._age, self._value_age), self._value_age)
        s.copy(s.where(self._started, self._entry_age, self._age), self._entry_age)
        s.copy(self._age, self._step_age)
        s.copy(1.0, self._started)
        bmi, has_bmi = scaled_bmi(self._xp, self._bmi)
        still = still_features(
            self._xp, is_male=self._is_male, bmi=bmi, has_bmi=has_bmi, gap_years=gap, is_entry=is_entry,
            is_visit=self._now[k:], held=self._held[: k - 1], now=events[: k - 1], measured=self._measured,
            value=value, last=self._last, has=self._has,
        )  # fmt: skip
        s.copy(still, self._still)
        self._advance(self._features(self._age))

    def _advance(self, features: Cells) -> None:
        """`trajsim.learn.models.gru.GruCore`."""
        s, w = self._sheet, self._spec.width
        core = {name: np.asarray(value, dtype=np.float64) for name, value in self._params["core"].items()}
        arriving = s.linear(features, core["inward"], s.given(core["bias"]))
        carried = s.linear(self._core, core["onward"])
        gates = s.sigmoid(arriving[: 2 * w] + carried[: 2 * w])
        moved = carried[2 * w :] + s.given(core["onward_bias"])
        candidate = s.tanh(arriving[2 * w :] + gates[w:] * moved)
        s.copy(self._core + gates[:w] * (candidate - self._core), self._core)

    def _scaled(self) -> Cells:
        """Measured values on the scale of the model."""
        columns = []
        for number, lab in enumerate(self._spec.vocabulary.labs):
            value = self._values[number : number + 1]
            if lab.kind == "flag":
                columns.append(value)
            elif lab.is_log:
                columns.append(self._sheet.log(value / lab.centre) / lab.spread)
            else:
                columns.append((value - lab.centre) / lab.spread)
        return self._sheet.concatenate(columns)

    # --- what is answered -----------------------------------------------------------------------------------------

    def _hazards(self) -> Cells:
        """log_hazard [K + 1, pieces], of the memory as it stands."""
        s, k, pieces = self._sheet, self._spec.n_events, len(PIECE_DAYS)
        read = s.concatenate([self._features(self._age), self._core])
        logs = s.linear(read, self._head("hazard"), s.given(self._head("hazard_bias")))
        since = s.where(self._started, self._age - self._step_age, 0.0) + HALF_A_DAY_YEARS
        table, thresholds = s.table(self._offsets()), np.array(OFFSET_DAYS[1:]) / DAYS_PER_YEAR
        kind = s.where(self._still[IS_ENTRY : IS_ENTRY + 1], ENTRY_GAP, s.count(self._still[GAP : GAP + 1], GAP_EDGES))
        first = kind * len(OFFSET_DAYS)
        out = s.cells((k + 1) * pieces)
        for piece, days in enumerate(PIECE_DAYS):
            offset = s.row(first + s.count(since + days / DAYS_PER_YEAR, thresholds), table)
            hazards = s.minimum(logs + offset, MOST_LOG_HAZARD)
            # What a patient has had does not come again (`trajsim.learn.answers`).
            s.write(Operation.WHERE, self._held, -np.inf, out=hazards)
            s.copy(hazards, out[piece:], step=pieces)
        return out

    def _offsets(self) -> NDArray[np.float64]:
        """[kinds of gaps x O, K + 1] What every piece adds: kind after kind."""
        offsets = np.tile(self._head("offset"), (ENTRY_GAP + 1, 1))
        offsets[:, -1] += self._head("rhythm").ravel()
        return offsets

    def _mixtures(self, given: Cells) -> dict[str, Cells]:
        """value_weight, value_mean, value_scale [V, C]."""
        s, v, c = self._sheet, self._spec.n_labs, self._spec.components
        value = self._head("value")
        value = value.reshape(len(value), v * 3 * c)
        raw = s.linear(given, value, s.given(self._head("value_bias")))
        weight, mean, scale = s.cells(v * c), s.cells(v * c), s.cells(v * c)
        for number, lab in enumerate(self._spec.vocabulary.labs):
            own = raw[number * 3 * c : (number + 1) * 3 * c]
            at = slice(number * c, (number + 1) * c)
            s.softmax(own[:c], weight[at])
            if lab.kind == "flag":
                s.fill(s.sigmoid(own[:1]), mean[at])
            else:
                s.copy(own[c : 2 * c], mean[at])
            s.copy(s.exp(s.clip(own[2 * c :], LEAST_LOG_SCALE, MOST_LOG_SCALE)), scale[at])
        return {"value_weight": weight, "value_mean": mean, "value_scale": scale}

    def _together(self, read: Cells, given: Cells) -> dict[str, Cells]:
        """co_probability [K + 1] and panel_probability [2^V]."""
        s, k, v = self._sheet, self._spec.n_events, self._spec.n_labs
        events = self._now[:k]
        pairs = 1.0 / (1.0 + np.exp(-self._head("same_day"))) * (1.0 - np.eye(k))
        same_day = s.minimum(s.linear(events, pairs), 1.0)
        same_day = s.where(s.maximum(self._held, events), 0.0, same_day)
        logit = s.linear(read, self._head("visit_too"), s.linear(events, self._head("visit_too_bias")[:, None]))
        co = s.concatenate([same_day, s.sigmoid(logit)])
        member = ((np.arange(2**v)[:, None] >> np.arange(v)) & 1).astype(np.float64)
        single = s.linear(given, self._head("panel"), s.given(self._head("panel_bias"))) if v else s.cells(0)
        energies = s.linear(single, member.T, s.given(self._head("panel_set")))
        if v:
            s.copy(NO_PANEL, energies[:1])
        panel = s.cells(2**v)
        s.softmax(energies, panel)
        return {"co_probability": co, "panel_probability": panel}
