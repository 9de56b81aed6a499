"""Rows of readers in a form that tests can compare."""

import numpy as np

from trajsim.learn.ingest.rows import NO_DAY, ClinicalRows

Row = tuple[str, int | None, str, str, float | None, str | None, str | None]


def rows_of(clinical: ClinicalRows, *, is_lab: bool | None = None) -> list[Row]:
    """Patient, day, system, code, value, text and unit of every row."""
    rows = clinical.rows if is_lab is None else clinical.rows[clinical.rows["is_lab"] == is_lab]
    ids = [*clinical.persons["patient_id"], "?"]
    pairs = list(zip(clinical.concepts["system"], clinical.concepts["code"], strict=True))
    columns = (
        [ids[place] for place in rows["patient"]],
        [None if day == NO_DAY else int(day) for day in rows["day"]],
        [pairs[place][0] for place in rows["concept"]],
        [pairs[place][1] for place in rows["concept"]],
        [None if np.isnan(value) else float(value) for value in rows["value"]],
        [text if isinstance(text, str) else None for text in rows["text"]],
        [unit if isinstance(unit, str) else None for unit in rows["unit"]],
    )
    return list(zip(*columns, strict=True))


def person(clinical: ClinicalRows, patient_id: str) -> dict[str, object]:
    """What is known of a patient; days that are not known are None."""
    place = list(clinical.persons["patient_id"]).index(patient_id)
    found = {str(key): value for key, value in clinical.persons.iloc[place].items()}
    return {key: None if value == NO_DAY else value for key, value in found.items()}
