"""The two layouts of a population file: ours, and Synthea's ``demographics.csv``."""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from trajsim.population.file_checks import Sheet
from trajsim.population.places import EDUCATIONS, US, PlaceTable, band_shares, us_place_rows, us_places
from trajsim.population.social import SOCIAL_DETERMINANTS, social_determinants_of
from trajsim.population.tables import ETHNICITIES, MAX_AGE, RACES, load_states

_AGE = re.compile(r"age (\d+)(?:-(\d+)|\+)")
_INCOME = re.compile(r"income (\d+)(?:-(\d+)|\+)")
_LANGUAGE = "language "
_OPEN_INCOME_FACTOR = 2.5
_REQUIRED = ("place", "region", "population", "female", *EDUCATIONS)
_OPTIONAL = ("country", "county", "fips", "hispanic", "latitude", "longitude", "area_code", "postal_prefix")

_SYNTHEA_AGES = (*((5 * k, 5 * k + 4) for k in range(17)), (85, MAX_AGE))
_SYNTHEA_INCOMES = (
    (0, 10), (10, 15), (15, 25), (25, 35), (35, 50), (50, 75), (75, 100), (100, 150), (150, 200), (200, 999),
)  # fmt: skip
_SYNTHEA_RACES = ("WHITE", "BLACK", "ASIAN", "NATIVE", "OTHER")
_SYNTHEA_EDUCATIONS = ("LESS_THAN_HS", "HS_DEGREE", "SOME_COLLEGE", "BS_DEGREE")
_SEX_COLUMNS = ("TOT_FEMALE", "TOT_MALE")


def own_layout(sheet: Sheet) -> PlaceTable | None:
    """Reads our layout; None if a column is missing. Faults are added to the sheet."""
    sheet.require(_REQUIRED)
    ages = _age_bands(sheet)
    low, high, incomes = _income_brackets(sheet)
    races = [race for race in RACES if sheet.has(race)]
    if not races:
        sheet.faults.append(f"no column of race: expected one or more of {', '.join(RACES)}")
    languages = [name for name in sheet.header if name.startswith(_LANGUAGE)]
    _refuse_unknown_columns(sheet, [*ages.values(), *incomes, *languages])
    country = tuple(text.upper() or US for text in sheet.texts("country"))
    for line, code in zip(sheet.lines, country, strict=True):
        if not re.fullmatch(r"[A-Z]{2}", code):
            sheet.faults.append(f"row {line}, column 'country': expected a code of two letters, got {code!r}")
    sheet.filled("place")
    sheet.filled("region")
    region = _regions(sheet, "region", country)
    sheet.unique("place", "region", "country")
    weight, female = sheet.numbers("population"), sheet.numbers("female", high=1.0)
    hispanic = sheet.numbers("hispanic", high=1.0, empty=0.0)
    if not (ages and incomes and races) or not all(map(sheet.has, _REQUIRED)):
        _check_sums(sheet, {"age": list(ages.values()), "income": incomes, "race": races, "language": languages})
        return None
    if not weight.any() and len(sheet):
        sheet.faults.append("column 'population': nobody lives in any place")
    race = np.zeros((len(sheet), len(RACES)))
    race[:, [RACES.index(name) for name in races]] = sheet.shares(races, "race")
    age_shares = sheet.shares(list(ages.values()), "age")
    education, income = sheet.shares(EDUCATIONS, "education"), sheet.shares(incomes, "income")
    language = sheet.shares(languages, "language") if languages else None
    county = sheet.texts("county")
    social = _social(sheet, county, region, country)
    where = _where(sheet, sheet.texts("place"), region, country)
    if sheet.faults:
        return None
    return PlaceTable(
        city=sheet.texts("place"),
        county=county,
        region=region,
        country=country,
        fips=sheet.texts("fips"),
        weight=weight,
        is_default=np.ones(len(sheet), dtype=np.bool_),
        female=female,
        ages=band_shares(list(ages), age_shares),
        ethnicity_race=_independent(hispanic, race),
        education=education,
        income_low=low,
        income_high=high,
        income=income,
        social=social,
        languages=tuple(name.removeprefix(_LANGUAGE).strip().lower() for name in languages),
        language=language,
        latitude=where[0],
        longitude=where[1],
        area_code=where[2],
        postal_prefix=where[3],
    )


def _check_sums(sheet: Sheet, groups: Mapping[str, list[str]]) -> None:
    """Adds the faults of the shares that are there, although the table cannot be made."""
    whole = list(EDUCATIONS) if all(map(sheet.has, EDUCATIONS)) else []
    for what, columns in (*groups.items(), ("education", whole)):
        if columns:
            sheet.shares(columns, what)


def synthea_layout(sheet: Sheet) -> PlaceTable | None:
    """Reads Synthea's layout; None if a column is missing. Faults are added to the sheet."""
    ages = [str(number) for number in range(1, len(_SYNTHEA_AGES) + 1)]
    incomes = [f"{low:02d}..{high}" for low, high in _SYNTHEA_INCOMES]
    columns = ("NAME", "STNAME", "POPESTIMATE2015", "CTYNAME", *_SEX_COLUMNS, *_SYNTHEA_RACES, "HISPANIC")
    sheet.require([*columns, *ages, *incomes, *_SYNTHEA_EDUCATIONS])
    if sheet.faults:
        return None
    country = (US,) * len(sheet)
    city = sheet.filled("NAME")
    sheet.filled("STNAME")
    region = _regions(sheet, "STNAME", country)
    sheet.unique("NAME", "STNAME", "CTYNAME")
    county = sheet.texts("CTYNAME")
    weight = sheet.numbers("POPESTIMATE2015")
    if not weight.any():
        sheet.faults.append("column 'POPESTIMATE2015': nobody lives in any place")
    female = sheet.shares(_SEX_COLUMNS, "sex", may_be_zero=True)[:, 0]
    race = np.zeros((len(sheet), len(RACES)))
    named = sheet.shares(_SYNTHEA_RACES, "race", may_be_less=True)
    race[:, [RACES.index(name.lower()) for name in _SYNTHEA_RACES]] = named
    # What is missing to 1, OTHER counted, is halved; one half replaces OTHER. Synthea then scales the rest up.
    rest = np.maximum(1.0 - named.sum(axis=1), 0.0)
    race[:, RACES.index("hawaiian")] = race[:, RACES.index("other")] = rest / 2.0
    race[~race.any(axis=1)] = 1.0
    race /= race.sum(axis=1, keepdims=True)
    hispanic = sheet.numbers("HISPANIC", high=1.0)
    age_shares = sheet.shares(ages, "age", may_be_zero=True)
    education = sheet.shares(_SYNTHEA_EDUCATIONS, "education", may_be_zero=True)
    income = sheet.shares(incomes, "income", may_be_zero=True)
    latitude, longitude, area_code, postal_prefix = _where(sheet, city, region, country)
    if sheet.faults:
        return None
    return PlaceTable(
        city=city,
        county=county,
        region=region,
        country=country,
        fips=("",) * len(sheet),
        weight=weight,
        is_default=np.ones(len(sheet), dtype=np.bool_),
        female=female,
        ages=band_shares(_SYNTHEA_AGES, age_shares),
        ethnicity_race=_independent(hispanic, race),
        education=education,
        income_low=np.array([low * 1_000 for low, _ in _SYNTHEA_INCOMES]),
        income_high=np.array([high * 1_000 for _, high in _SYNTHEA_INCOMES]),
        income=income,
        social=np.stack([social_determinants_of(*names) for names in zip(region, county, strict=True)]),
        latitude=latitude,
        longitude=longitude,
        area_code=area_code,
        postal_prefix=postal_prefix,
    )


def _independent(hispanic: NDArray[np.float64], race: NDArray[np.float64]) -> NDArray[np.float64]:
    """[place, ethnicity, race] of ethnicity and race that are independent."""
    assert ETHNICITIES == ("hispanic", "nonhispanic")
    return np.stack([hispanic, 1.0 - hispanic], axis=1)[:, :, None] * race[:, None, :]


def _age_bands(sheet: Sheet) -> dict[tuple[int, int], str]:
    """Columns of age bands by first and last age; together they must cover 0 and up once."""
    bands: dict[tuple[int, int], str] = {}
    for name in sheet.header:
        found = _AGE.fullmatch(name)
        if found:
            bands[int(found[1]), MAX_AGE if found[2] is None else int(found[2])] = name
    if not bands:
        sheet.faults.append("no column of an age band: expected columns such as 'age 0-4' ... 'age 85+'")
        return {}
    expected = 0
    for first, last in sorted(bands):
        name = bands[first, last]
        if not first <= last <= MAX_AGE:
            sheet.faults.append(f"column {name!r}: expected ages LOW-HIGH from 0 to {MAX_AGE}")
        elif first > expected:
            sheet.faults.append(f"column {name!r}: no band has ages {expected} to {first - 1}")
        elif first < expected:
            sheet.faults.append(f"column {name!r}: ages {first} to {min(last, expected - 1)} are in another band too")
        expected = max(expected, last + 1)
    if expected <= MAX_AGE:
        sheet.faults.append(f"no band has ages {expected} and over: expected a column 'age {expected}+'")
    return dict(sorted(bands.items()))


def _income_brackets(sheet: Sheet) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Low and high of the brackets, both included, and their columns."""
    brackets = []
    for name in sheet.header:
        found = _INCOME.fullmatch(name)
        if found:
            low = int(found[1])
            high = int(found[2]) if found[2] else int(max(low, 1) * _OPEN_INCOME_FACTOR)
            brackets.append((low, high, name))
    if not brackets:
        sheet.faults.append(
            "no column of an income bracket: expected columns such as 'income 0-10000' ... 'income 200000+'"
        )
    brackets.sort()
    for (low, high, name), following in zip_longest(brackets, brackets[1:]):
        if name.endswith("+") and low == 0:
            sheet.faults.append(f"column {name!r}: an open bracket must begin above 0")
        elif low > high:
            sheet.faults.append(f"column {name!r}: expected USD LOW-HIGH, got {low} above {high}")
        elif following is not None and (name.endswith("+") or following[0] < high):
            sheet.faults.append(f"column {following[2]!r}: overlaps {name!r}")
    low_high = np.array([bracket[:2] for bracket in brackets], dtype=np.int64).reshape(-1, 2)
    return low_high[:, 0], low_high[:, 1], [name for _, _, name in brackets]


def _refuse_unknown_columns(sheet: Sheet, found: Sequence[str]) -> None:
    """A column that nobody reads is a slip of the pen."""
    known = {*_REQUIRED, *_OPTIONAL, *RACES, *SOCIAL_DETERMINANTS, *found}
    for name in sheet.header:
        if name not in known:
            sheet.faults.append(f"column {name!r} is unknown")


def _regions(sheet: Sheet, column: str, country: Sequence[str]) -> tuple[str, ...]:
    """Regions; those of the US are states, by name or postal abbreviation, and get their full name."""
    states = load_states()
    names = {name.casefold(): name for name in states.names}
    names |= {short.casefold(): name for short, name in zip(states.abbreviations, states.names, strict=True)}
    sheet.known(column, (*states.names, *states.abbreviations), where=[code == US for code in country])
    return tuple(
        names.get(text.casefold(), text) if code == US else text
        for text, code in zip(sheet.texts(column), country, strict=True)
    )


def _social(sheet: Sheet, county: Sequence[str], region: Sequence[str], country: Sequence[str]) -> NDArray[np.float64]:
    """Shares of the determinants: the file's, else in the US the county's or state's, elsewhere 0."""
    social = np.zeros((len(sheet), len(SOCIAL_DETERMINANTS)))
    for row, code in enumerate(country):
        if code == US:
            social[row] = social_determinants_of(region[row], county[row])
    for position, name in enumerate(SOCIAL_DETERMINANTS):
        given = sheet.numbers(name, high=1.0, empty=-1.0)
        social[:, position] = np.where(given >= 0.0, given, social[:, position])
    return social


def _where(
    sheet: Sheet, city: Sequence[str], region: Sequence[str], country: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...], tuple[str, ...]]:
    """Coordinates, area codes and postal zones: the file's, else those of a US city of the built-in table."""
    latitude = sheet.numbers("latitude", low=-90.0, high=90.0, empty=np.nan)
    longitude = sheet.numbers("longitude", low=-180.0, high=180.0, empty=np.nan)
    for axis in (latitude, longitude):
        if not sheet.has("latitude") or not sheet.has("longitude"):
            axis[:] = np.nan
    area_code, postal_prefix = list(sheet.texts("area_code")), list(sheet.texts("postal_prefix"))
    for texts, column in ((area_code, "area_code"), (postal_prefix, "postal_prefix")):
        for line, text in zip(sheet.lines, texts, strict=True):
            if text and not re.fullmatch(r"\d{3}", text):
                sheet.faults.append(f"row {line}, column {column!r}: expected three digits, got {text!r}")
    builtin = us_places()
    for row, names in enumerate(zip(region, city, strict=True)):
        at = us_place_rows().get((names[0].casefold(), names[1].casefold()))
        if at is None or country[row] != US:
            continue
        area_code[row] = area_code[row] or builtin.area_code[at]
        postal_prefix[row] = postal_prefix[row] or builtin.postal_prefix[at]
        if np.isnan(latitude[row]) or np.isnan(longitude[row]):
            latitude[row], longitude[row] = builtin.latitude[at], builtin.longitude[at]
    return latitude, longitude, tuple(area_code), tuple(postal_prefix)
