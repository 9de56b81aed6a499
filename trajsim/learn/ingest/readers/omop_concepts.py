"""What concept ids of OMOP mean: by the source's table ``concept``, and a few units without it."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajsim.learn.ingest.readers.collected import system_name
from trajsim.learn.ingest.readers.columns import Columns

OMOP_SYSTEM = "OMOP"
"""System of a concept id, where the source has no table ``concept`` that names its vocabulary and code."""

CONCEPT_COLUMNS = ("concept_id", "vocabulary_id", "concept_code")

UNITS: Mapping[int, str] = {8753: "mmol/L", 8840: "mg/dL", 8876: "mm[Hg]", 9531: "kg/m2", 44777602: "kPa"}
"""Concepts of the vocabulary UCUM that the mappings which ship convert, for sources without a table of concepts.

Source: OHDSI Standardized Vocabularies, domain Unit, vocabulary UCUM: athena.ohdsi.org/search-terms/terms/8840 and so
on.
"""

_VOCABULARIES: Mapping[str, str] = {"SNOMED": "SNOMED-CT", "RxNorm Extension": "RxNorm", "CPT4": "CPT"}


class Concepts:
    """Vocabulary and code of concept ids."""

    def __init__(self, tables: Iterable[Columns]) -> None:
        """Keeps what a table of concepts says.

        Args:
            tables: Its batches, with the columns `CONCEPT_COLUMNS`; none where the source has no such table.
        """
        numbers, systems, codes = [pa.array([], pa.int64())], [pa.array([], pa.string())], [pa.array([], pa.string())]
        for columns in tables:
            found = columns.whole_numbers("concept_id"), columns.texts("vocabulary_id"), columns.texts("concept_code")
            keep = pa.array(~columns.is_spoilt)
            for values in found:
                keep = pc.and_(keep, values.is_valid())
            for parts, values in zip((numbers, systems, codes), found, strict=True):
                parts.append(values.filter(keep))
        ids = pa.concat_arrays(numbers).to_numpy()
        order = np.argsort(ids, kind="stable")
        self._ids = ids[order]
        encoded = pa.concat_arrays(systems).dictionary_encode()
        spelled = [system_name(_VOCABULARIES.get(name, name)) for name in encoded.dictionary.to_pylist()]
        self._systems = pa.array(spelled, pa.string()).take(encoded.indices).take(pa.array(order))
        self._codes = pa.concat_arrays(codes).take(pa.array(order))

    def codes(self, ids: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
        """Systems and codes; an id that no table explains is its own code under the system ``OMOP``."""
        own = pa.array(ids).cast(pa.string())
        is_known, place = self._places(ids)
        if not is_known.any():
            return pa.repeat(pa.scalar(OMOP_SYSTEM), len(ids)), own
        mask, chosen = pa.array(is_known), pa.array(place)
        systems = pc.if_else(mask, self._systems.take(chosen), OMOP_SYSTEM)
        return systems, pc.if_else(mask, self._codes.take(chosen), own)

    def units(self, ids: NDArray[np.int64]) -> pa.Array:
        """Units as UCUM spells them; none where neither the table nor `UNITS` has the id."""
        unique, back = np.unique(ids, return_inverse=True)
        is_known, _ = self._places(unique)
        spelled = [
            code if known else UNITS.get(number)
            for number, known, code in zip(
                unique.tolist(), is_known.tolist(), self.codes(unique)[1].to_pylist(), strict=True
            )
        ]
        return pa.array(spelled, pa.string()).take(pa.array(back))

    def _places(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which ids stand in the table of concepts, and where; 0 for the others."""
        if not len(self._ids):
            return np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.int64)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        is_known = np.asarray(self._ids[place] == ids)
        return is_known, np.where(is_known, place, 0)
