"""Whether a text is a unit of UCUM, by its grammar and a table of its atoms.

The table holds the atoms that clinical data use, written from the specification; a unit with an atom that it lacks is
reported as unknown, so the table grows with what is met.

Source: The Unified Code for Units of Measure, version 2.1, sections 2.2 (grammar), 3 (prefixes) and 4 (atoms).
"""

import re
from functools import lru_cache

_PREFIXES = (
    "da", "Ki", "Mi", "Gi", "Ti",
    "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "d", "c", "m", "u", "n", "p", "f", "a", "z", "y",
)  # fmt: skip
_METRIC_ATOMS = """
    m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv L l ar t bar u eV pc [g] G Mx Oe Gal
    Ky Bd bit By Np B B[SPL] B[V] B[mV] B[uV] B[W] B[kW] kat eq osm U [iU] [IU] st cal [Cal] cal_IT cal_th m[H2O]
    m[Hg] Ci R RAD REM erg dyn P St Lmb ph Gb sb mho
"""
_PLAIN_ATOMS = """
    10* 10^ [pi] % [ppth] [ppm] [ppb] [pptr] deg ' '' gon min h d wk mo a mo_j a_j mo_s mo_g a_t a_g [in_i] [ft_i]
    [yd_i] [mi_i] [fth_i] [nmi_i] [kn_i] [sin_i] [sft_i] [syd_i] [cin_i] [cft_i] [mil_i] [hd_i] [in_us] [ft_us]
    [yd_us] [rd_us] [ch_us] [lk_us] [fth_us] [fur_us] [mi_us] [acr_us] [gal_us] [bbl_us] [qt_us] [pt_us] [gil_us]
    [foz_us] [fdr_us] [min_us] [crd_us] [bu_us] [tbs_us] [tsp_us] [cup_us] [foz_m] [cup_m] [tsp_m] [tbs_m] [gr]
    [lb_av] [oz_av] [dr_av] [scwt_av] [lcwt_av] [ston_av] [lton_av] [stone_av] [lb_tr] [oz_tr] [dr_ap] [sc_ap]
    [lb_ap] [oz_ap] [degF] [degRe] [degR] [lbf_av] [psi] [pnt] [car_m] [car_Au] [diop] [p'diop] [HP] [S] [Amb'a'1'U]
    [D'ag'U] [FFU] [CFU] [PFU] [BAU] [AU] [CCID_50] [TCID_50] [EID_50] [LD50] [arb'U] [USP'U] [GPL'U] [MPL'U]
    [APL'U] [beth'U] [anti'Xa'U] [todd'U] [dye'U] [smgy'U] [bdsk'U] [ka'U] [knk'U] [mclg'U] [tb'U] [Lf] [PNU] [Ch]
    [Fr] [mesh_i] [HPF] [LPF] [MET] [hnsf'U] [hp_X] [hp_C] [hp_M] [hp_Q] [drp] [pH] [m/s2/Hz^0.5] [NTU] [FNU] [h]
    [k] [c] [e] [m_e] [m_p] [G] [ly] AU gf b sph circ att bit_s [IR] [kp_X] [kp_C] [kp_M] [kp_Q] [Btu] [mu_0]
    [eps_0] [in_i'H2O] [in_i'Hg] [PRU] [wood'U] [acr_br] [gal_br] [pt_br] [qt_br] [foz_br]
"""
_METRIC = frozenset(_METRIC_ATOMS.split())
_PLAIN = frozenset(_PLAIN_ATOMS.split())
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_NUMBER = re.compile(r"[0-9]+")
_EXPONENT = re.compile(r"[+-]?[0-9]+$")


def _is_atom(text: str) -> bool:
    if text in _METRIC or text in _PLAIN:
        return True
    return any(text.startswith(prefix) and text[len(prefix) :] in _METRIC for prefix in _PREFIXES)


def _is_component(text: str) -> bool:
    text = _ANNOTATION.sub("", text, count=1) if text.endswith("}") else text
    if not text:
        return True
    if text == "1" or _NUMBER.fullmatch(text) or _is_atom(text):
        return True
    exponent = _EXPONENT.search(text)
    return exponent is not None and exponent.start() > 0 and _is_atom(text[: exponent.start()])


def _parts(text: str) -> list[str] | None:
    """The components of a term, groups opened; None: brackets do not fit."""
    parts, current, depth = [], "", 0
    closed_by = {"[": "]", "{": "}"}
    waiting = ""
    for letter in text:
        if waiting:
            current += letter
            waiting = "" if letter == waiting else waiting
        elif letter in closed_by:
            current += letter
            waiting = closed_by[letter]
        elif letter in "(./)":
            depth += (letter == "(") - (letter == ")")
            if depth < 0:
                return None
            if current or letter == ".":
                parts.append(current)
            current = ""
        else:
            current += letter
    if depth or waiting:
        return None
    return [*parts, current] if current else parts


@lru_cache(maxsize=4096)
def is_unit(code: str) -> bool:
    """Whether a code follows the grammar of UCUM and its atoms are known.

    Example:
        >>> is_unit("mm[Hg]"), is_unit("10*3/uL"), is_unit("cmm")
        (True, True, False)
    """
    if not code or code.isspace() or not code.isascii() or " " in _ANNOTATION.sub("", code):
        return False
    if code.endswith((".", "/")) or ".." in code or "//" in code or code.startswith("."):
        return False
    parts = _parts(code)
    return parts is not None and bool(parts) and all(_is_component(part) for part in parts)
