"""Writes what was counted of some Records as a folder of reference tables, so that they can be compared with others."""

from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from trajsim.evaluate.parity.ages import BANDS, N_STRATA, SEXES
from trajsim.evaluate.parity.reference import States
from trajsim.evaluate.parity.tally import Sample, Tally

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def write_reference_tables(folder: Path, counted: Tally, states: States, *, end_date: str = "2025-01-01") -> Path:
    """Writes every table that a comparison reads."""
    folder.mkdir(parents=True)
    for name, frame in {**_population(counted), **_codes(counted), **_values(counted)}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "states.json").write_bytes(orjson.dumps(states))
    (folder / "README.md").write_text(f"| reference date, end date | {end_date} |\n")
    return folder


def _strata(numbers: np.ndarray) -> dict[str, list[object]]:
    band = numbers % len(BANDS)
    return {"sex": [SEXES[n // len(BANDS)] for n in numbers], "age_from": [BANDS[k] for k in band]}


def _population(counted: Tally) -> dict[str, pd.DataFrame]:
    persons = counted.persons
    every = np.arange(N_STRATA)
    living = np.bincount(persons.at_end()[~persons.is_dead], minlength=N_STRATA)
    groups = pd.DataFrame(
        {"sex": np.array(SEXES, object)[persons.sex], **counted.demographics, "deaths": persons.is_dead.astype(int)}
    ).groupby(["sex", "race", "ethnicity"], as_index=False)
    at_death = persons.at_end()[persons.is_dead].astype(int)
    dead = np.flatnonzero(persons.is_dead)
    causes = [counted.causes.get(int(person), "") or "none recorded" for person in dead]
    deaths = pd.DataFrame({**_strata(at_death), "cause": causes})
    return {
        "time_at_risk": pd.DataFrame(
            {**_strata(every), "persons": persons.reached(), "person_years": persons.years().sum(axis=0)}
        ),
        "persons": groups.agg(n=("deaths", "size"), deaths=("deaths", "sum")),
        "living_at_end": pd.DataFrame({**_strata(every), "living": living}),
        "deaths": deaths.groupby(["sex", "age_from", "cause"], as_index=False).size().rename(columns={"size": "n"}),
        "payer_ownership_years": _insurance(counted),
    }


def _insurance(counted: Tally) -> pd.DataFrame:
    known = counted.insurance
    years = {"Self": known.insured, "": known.years - known.insured}
    frames = [pd.DataFrame({"py": owner, "age_from": BANDS, "person_years": each}) for owner, each in years.items()]
    return pd.concat(frames)


def _codes(counted: Tally) -> dict[str, pd.DataFrame]:
    names = pd.DataFrame(counted.codes, columns=["kind", "class", "code"])
    names["display"] = [counted.displays.get(code, "") for code in counted.codes]
    events = pd.DataFrame(
        {"number": counted.code, "person": counted.person, "stratum": counted.stratum, "count": counted.count}
    )
    events["squared"] = events["count"] ** 2
    ages = events.groupby(["number", "stratum"], as_index=False).agg(
        events=("count", "sum"), persons_with=("person", "size"), sum_sq_per_person=("squared", "sum")
    )
    lives = events.groupby(["number", "person"], as_index=False)["count"].sum()
    lives["squared"] = lives["count"] ** 2
    lives = lives.groupby("number", as_index=False).agg(
        persons_ever=("person", "size"), events=("count", "sum"), sum_sq_per_person=("squared", "sum")
    )
    prevalence = pd.DataFrame(
        [
            {"code": code, "sex": SEXES[k // len(BANDS)], "age_from": BANDS[k % len(BANDS)], "persons": int(n)}
            for code, counts in counted.prevalent.items()
            for k, n in enumerate(counts)
            if n
        ],
        columns=["code", "sex", "age_from", "persons"],
    )
    return {
        "codes": names,
        "events_by_age_sex": names.loc[ages["number"]].reset_index(drop=True)[["kind", "class", "code"]]
        .join(pd.DataFrame(_strata(ages["stratum"].to_numpy())))
        .join(ages[["events", "persons_with", "sum_sq_per_person"]]),
        "events_per_person": names.loc[lives["number"]].reset_index(drop=True)[["kind", "class", "code"]].join(
            lives[["persons_ever", "events", "sum_sq_per_person"]]
        ),
        "condition_point_prevalence": prevalence,
        **{f"{kind}_days": _spans(counted, kind) for kind in ("condition", "medication")},
    }  # fmt: skip


def _spans(counted: Tally, kind: str) -> pd.DataFrame:
    stopped = _quantiles(counted.open_days)
    rows = []
    for number, (own, code) in enumerate(counted.open_days.names):
        if own == kind:
            found = stopped.loc[number] if number in stopped.index else None
            quartiles = {f"q{q}": "" if found is None else found[f"q{q}"] for q in (25, 50, 75)}
            rows.append({
                "code": code, "n": counted.n_spans[own, code], "stopped": 0 if found is None else found["n"],
                "mean_days": "" if found is None else found["mean"], **quartiles,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["code", "n", "stopped", "mean_days", "q25", "q50", "q75"])


def _quantiles(sample: Sample) -> pd.DataFrame:
    frame = pd.DataFrame({"group": sample.group, "person": sample.person, "value": sample.value})
    groups = frame.groupby("group")
    result = groups.agg(n=("value", "size"), persons=("person", "nunique"), mean=("value", "mean"), sd=("value", "std"))
    for level in LEVELS:
        result[f"q{round(100 * level):02d}"] = groups["value"].quantile(level)
    return result


def _values(counted: Tally) -> dict[str, pd.DataFrame]:
    numbers = _quantiles(counted.observations).reset_index()
    series = [counted.observations.names[group // N_STRATA] for group in numbers["group"]]
    observed = pd.DataFrame(series, columns=["code", "units"]).join(
        pd.DataFrame(_strata(numbers["group"].to_numpy() % N_STRATA))
    )
    texts = [
        {"code": code, "value": value, "n": n, "persons": persons}
        for (code, value), (n, persons) in counted.texts.items()
        if persons >= 5
    ]
    return {
        "observation_values": observed.join(numbers.drop(columns="group")),
        "observation_texts": pd.DataFrame(texts, columns=["code", "value", "n", "persons"]),
        "encounter_minutes": _by_class(counted.minutes, "mean_minutes"),
        "encounter_gaps": _by_class(counted.gaps, "mean_days"),
    }


def _by_class(sample: Sample, mean: str) -> pd.DataFrame:
    frame = _quantiles(sample).reset_index().rename(columns={"mean": mean})
    frame["class"] = [sample.names[group][0] for group in frame["group"]]
    return frame
