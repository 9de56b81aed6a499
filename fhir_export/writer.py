"""The machine code that fills slots: the hot path of the export, and the only Numba of this room.

A resource is written by walking the steps of its template: copy a constant segment, fill one slot, next step.
Everything that is text is already JSON; everything that is a number or a time is written digit by digit. Nothing is
allocated, no Python object is touched and the interpreter lock is free.

Steps (int32, one row each) hold: offset and length of the constant segment that comes first, kind of slot, column,
extra. Cells are int64, `width` of them a row; cell 0 of a row is its template, cell 1 its patient (a position, not an
id).
"""

from enum import IntEnum
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from trajsim.streams.jit import jit
from trajsim.streams.philox import philox4x32

ID_LENGTH = 36
NO_TIME = np.iinfo(np.int64).min  # "no time": -1 is a time (a birth before 1970)
NOT_SHORT = -1  # decimals of a number whose shortest form needs more than 2^53
NOT_FINITE = -2


class SlotKind(IntEnum):
    """What a step does after its constant segment."""

    END = 0  # the resource, or the element of a list, is complete
    ID = 1  # UUID of the row that the cell names; column -1: of this row
    TEXT = 2  # JSON from the lasting pool
    LOCAL_TEXT = 3  # JSON from the pool of this shard
    DATE_TIME = 4  # microseconds, written with the patient's UTC offset
    DATE = 5
    DECIMAL = 6  # mantissa; the next cell holds the number of decimals
    INTEGER = 7
    PADDED = 8  # integer with leading zeros; extra: width
    LIST = 9  # first child; the next cell holds how many; extra: template of a child, -1: the child's own
    UID = 10  # DICOM UID of the row that the cell names: 2.25. and the UUID as a decimal number


_END = int(SlotKind.END)
_ID = int(SlotKind.ID)
_TEXT = int(SlotKind.TEXT)
_LOCAL_TEXT = int(SlotKind.LOCAL_TEXT)
_DATE_TIME = int(SlotKind.DATE_TIME)
_DATE = int(SlotKind.DATE)
_DECIMAL = int(SlotKind.DECIMAL)
_INTEGER = int(SlotKind.INTEGER)
_PADDED = int(SlotKind.PADDED)
_LIST = int(SlotKind.LIST)
_UID = int(SlotKind.UID)

_ROOM = 64  # no slot but a text is longer
_MASK = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_S4 = np.uint64(4)
_S8 = np.uint64(8)
_LOW_NIBBLE = np.uint64(15)
_LOW_BYTE = np.uint64(255)
_VERSION_CLEAR = np.uint64(0xFF0FFFFF)  # byte 6 of the UUID is byte 2 of the second word
_VERSION_8 = np.uint64(0x00800000)
_VARIANT_CLEAR = np.uint64(0xFFFFFF3F)  # byte 8 is byte 0 of the third word
_VARIANT = np.uint64(0x00000080)
_BILLION = np.uint64(1_000_000_000)
_U0 = np.uint64(0)
_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


def _inlined(function: Any) -> Any:
    """Compiles a part of the inner loop into its caller: a call with this many arrays costs as much as a slot."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    return numba.njit(**options)(function)


@intrinsic
def _copy(typingctx, target, at, source, source_at, length):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Copies `length` bytes: one memcpy, four times faster than a loop over bytes."""
    signature = types.void(target, types.intp, source, types.intp, types.intp)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = context.make_array(signature.args[0])(context, builder, args[0]).data
        of = context.make_array(signature.args[2])(context, builder, args[2]).data
        one = context.get_constant(types.intp, 1)
        cgutils.raw_memcpy(  # type: ignore[no-untyped-call]
            builder, builder.gep(to, [args[1]]), builder.gep(of, [args[3]]), args[4], one
        )
        return context.get_dummy_value()

    return signature, codegen


def _copy_plainly(target, at, source, source_at, length):  # type: ignore[no-untyped-def]
    """The same in the run without machine code (coverage, debugging)."""
    target[at : at + length] = source[source_at : source_at + length]


if config.DISABLE_JIT:  # type: ignore[attr-defined]
    _copy = _copy_plainly  # type: ignore[assignment]


# --- ids and links --------------------------------------------------------------------------------------------------


@jit
def _put_word(out, at, word):  # type: ignore[no-untyped-def]
    """Eight hexadecimal digits of a word, least significant byte first; returns nothing, moves nothing."""
    for k in range(4):
        byte = (word >> np.uint64(8 * k)) & _LOW_BYTE
        high = np.int64(byte >> _S4)
        low = np.int64(byte & _LOW_NIBBLE)
        out[at + 2 * k] = 48 + high + (39 if high > 9 else 0)
        out[at + 2 * k + 1] = 48 + low + (39 if low > 9 else 0)


@jit
def fill_ids(keys, patients, key_low, key_high, out):  # type: ignore[no-untyped-def]
    """Writes the UUID of every row, 36 characters each (see `fhir_export.ids`).

    Args:
        keys: [n] uint64, row keys.
        patients: [n] uint64, patient ids.
        key_low: Low word of the Philox key.
        key_high: High word of the Philox key.
        out: [36 n] uint8.
    """
    for row in range(keys.shape[0]):
        key = keys[row]
        patient = patients[row]
        w0, w1, w2, w3 = philox4x32(key & _MASK, key >> _S32, patient & _MASK, patient >> _S32, key_low, key_high)
        w1 = (w1 & _VERSION_CLEAR) | _VERSION_8
        w2 = (w2 & _VARIANT_CLEAR) | _VARIANT
        at = row * 36
        # The digits of words 1 to 3 straddle hyphens: written in full, then moved apart from the right.
        _put_word(out, at, w0)
        _put_word(out, at + 9, w1)
        for k in range(4):
            out[at + 17 - k] = out[at + 16 - k]
        _put_word(out, at + 19, w2)
        for k in range(4):
            out[at + 27 - k] = out[at + 26 - k]
        _put_word(out, at + 28, w3)
        out[at + 8] = 45
        out[at + 13] = 45
        out[at + 18] = 45
        out[at + 23] = 45


@jit
def fill_words(keys, patients, key_low, key_high, out):  # type: ignore[no-untyped-def]
    """The first two words of each row's Philox block as one uint64: numbers that look random and never change."""
    for row in range(keys.shape[0]):
        key = keys[row]
        patient = patients[row]
        w0, w1, _, _ = philox4x32(key & _MASK, key >> _S32, patient & _MASK, patient >> _S32, key_low, key_high)
        out[row] = w0 | (w1 << _S32)


@jit
def find_patients(row_patients, patients, position, starts, stops):  # type: ignore[no-untyped-def]
    """Position of each row's patient, and the rows of each patient.

    Returns:
        -1, or the first row whose patient is unknown or whose patient's rows are not contiguous.
    """
    n = patients.shape[0]
    current = -1
    for row in range(row_patients.shape[0]):
        wanted = row_patients[row]
        if current < 0 or patients[current] != wanted:
            found = -1
            for step in range(n):
                candidate = (current + 1 + step) % n
                if patients[candidate] == wanted:
                    found = candidate
                    break
            if found < 0 or starts[found] != stops[found]:
                return row
            current = found
            starts[current] = row
        stops[current] = row + 1
        position[row] = current
    return -1


@jit
def find_rows(row_patients, wanted, starts, stops, keys, out):  # type: ignore[no-untyped-def]
    """For each row the row of another table, of the same patient, with the wanted key; -1: key 0, or none has it."""
    last = -1
    for row in range(wanted.shape[0]):
        key = wanted[row]
        out[row] = -1
        if key == _U0:
            continue
        patient = row_patients[row]
        start = starts[patient]
        stop = stops[patient]
        if last < start or last >= stop:
            last = start
        for candidate in range(last, stop):
            if keys[candidate] == key:
                out[row] = candidate
                break
        if out[row] < 0:
            for candidate in range(start, last):
                if keys[candidate] == key:
                    out[row] = candidate
                    break
        if out[row] >= 0:
            last = out[row]


# --- numbers and times ----------------------------------------------------------------------------------------------


@jit
def shortest_decimals(values, mantissa, decimals):  # type: ignore[no-untyped-def]
    """Each number as mantissa / 10^decimals with the fewest decimals that give the same double back.

    `decimals` is NOT_FINITE for NaN and infinities, NOT_SHORT where the mantissa would pass 2^53 (division of two exact
    integers is correctly rounded, so below that the test is exact).
    """
    for row in range(values.shape[0]):
        value = values[row]
        mantissa[row] = 0
        if not np.isfinite(value):
            decimals[row] = -2
            continue
        decimals[row] = -1
        power = 1.0
        for count in range(23):
            scaled = np.rint(value * power)
            if abs(scaled) > 9007199254740992.0:
                break
            if scaled / power == value:
                mantissa[row] = np.int64(scaled)
                decimals[row] = count
                break
            power *= 10.0


@jit
def _put_integer(out, at, value):  # type: ignore[no-untyped-def]
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    width = 1
    power = 10
    while width < 19 and value >= power:
        width += 1
        power *= 10
    for k in range(width - 1, -1, -1):
        out[at + k] = 48 + value % 10
        value //= 10
    return at + width


@jit
def _put_padded(out, at, value, width):  # type: ignore[no-untyped-def]
    for k in range(width - 1, -1, -1):
        out[at + k] = 48 + value % 10
        value //= 10
    return at + width


@jit
def _put_decimal(out, at, mantissa, decimals):  # type: ignore[no-untyped-def]
    if decimals == 0:
        return _put_integer(out, at, mantissa)
    if mantissa < 0:
        out[at] = 45
        at += 1
        mantissa = -mantissa
    power = 1
    for _ in range(min(decimals, 18)):
        power *= 10
    if decimals > 18:  # the mantissa is below 2^53, so all of it stands behind the point
        out[at] = 48
        out[at + 1] = 46
        return _put_padded(out, at + 2, mantissa, decimals)
    at = _put_integer(out, at, mantissa // power)
    out[at] = 46
    return _put_padded(out, at + 1, mantissa % power, decimals)


@jit
def _put_date(out, at, days):  # type: ignore[no-untyped-def]
    """YYYY-MM-DD of days since 1970-01-01 (years 0 to 9999), by integer arithmetic on 400-year eras from 1 March."""
    shifted = days + 719468
    era = shifted // 146097
    day_of_era = shifted - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    at = _put_padded(out, at, year, 4)
    out[at] = 45
    at = _put_padded(out, at + 1, month, 2)
    out[at] = 45
    return _put_padded(out, at + 1, day, 2)


@jit
def _put_date_time(out, at, time_us, offset):  # type: ignore[no-untyped-def]
    """ISO dateTime with the offset in minutes; a fraction only where there is one, in milliseconds or microseconds."""
    local = time_us + offset * 60_000_000
    days = local // 86_400_000_000
    rest = local - days * 86_400_000_000
    at = _put_date(out, at, days)
    out[at] = 84
    seconds = rest // 1_000_000
    fraction = rest - seconds * 1_000_000
    at = _put_padded(out, at + 1, seconds // 3600, 2)
    out[at] = 58
    at = _put_padded(out, at + 1, seconds // 60 % 60, 2)
    out[at] = 58
    at = _put_padded(out, at + 1, seconds % 60, 2)
    if fraction != 0:
        out[at] = 46
        if fraction % 1000 == 0:
            at = _put_padded(out, at + 1, fraction // 1000, 3)
        else:
            at = _put_padded(out, at + 1, fraction, 6)
    out[at] = 45 if offset < 0 else 43
    minutes = -offset if offset < 0 else offset
    at = _put_padded(out, at + 1, minutes // 60, 2)
    out[at] = 58
    return _put_padded(out, at + 1, minutes % 60, 2)


@jit
def _hex_word(ids, at):  # type: ignore[no-untyped-def]
    """The next eight hexadecimal digits as a number, most significant first; returns it and where it ended."""
    word = _U0
    count = 0
    while count < 8:
        symbol = np.int64(ids[at])
        at += 1
        if symbol != 45:
            digit = symbol - 48 if symbol < 58 else symbol - 87
            word = (word << _S4) | np.uint64(digit)
            count += 1
    return word, at


@jit
def _divide(a, b, c, d):  # type: ignore[no-untyped-def]
    """A 128-bit number of four words divided by 10^9: four words and the remainder."""
    qa = a // _BILLION
    rest = (a - qa * _BILLION) << _S32 | b
    qb = rest // _BILLION
    rest = (rest - qb * _BILLION) << _S32 | c
    qc = rest // _BILLION
    rest = (rest - qc * _BILLION) << _S32 | d
    qd = rest // _BILLION
    return qa, qb, qc, qd, np.int64(rest - qd * _BILLION)


@jit
def _put_uid(out, at, ids, source):  # type: ignore[no-untyped-def]
    """The DICOM UID of a UUID: 2.25. and its 128 bits as a decimal number (DICOM PS3.5, annex B.2)."""
    a, source = _hex_word(ids, source)
    b, source = _hex_word(ids, source)
    c, source = _hex_word(ids, source)
    d, source = _hex_word(ids, source)
    out[at] = 50
    out[at + 1] = 46
    out[at + 2] = 50
    out[at + 3] = 53
    out[at + 4] = 46
    # 39 digits at most: five groups of nine, written from the right with leading zeros, then moved to the left.
    first = at + 5
    for group in range(4, -1, -1):
        a, b, c, d, rest = _divide(a, b, c, d)
        _put_padded(out, first + 9 * group, rest, 9)
    zeros = 0
    while zeros < 44 and out[first + zeros] == 48:
        zeros += 1
    for k in range(45 - zeros):
        out[first + k] = out[first + zeros + k]
    return first + 45 - zeros


# --- the writer -----------------------------------------------------------------------------------------------------


@_inlined
def _put_slot(kind, column, extra, row, base, cells, ids, offsets, memo, memo_text, out, at):  # type: ignore[no-untyped-def]
    """Fills a slot that is no text and no list, of at most 64 bytes; returns where it ended."""
    if kind == _ID:
        source = row if column < 0 else cells[base + column]
        _copy(out, at, ids, source * 36, 36)
        return at + 36
    if kind == _DATE_TIME:
        time_us = cells[base + column]
        offset = offsets[cells[base + 1]]
        if time_us != memo[0] or offset != memo[1]:
            memo[0] = time_us
            memo[1] = offset
            memo[2] = _put_date_time(memo_text, 0, time_us, offset)
        _copy(out, at, memo_text, 0, memo[2])
        return at + memo[2]
    if kind == _DECIMAL:
        return _put_decimal(out, at, cells[base + column], cells[base + column + 1])
    if kind == _INTEGER:
        return _put_integer(out, at, cells[base + column])
    if kind == _DATE:
        local_us = cells[base + column] + offsets[cells[base + 1]] * _MINUTE_US
        return _put_date(out, at, local_us // _DAY_US)
    if kind == _PADDED:
        return _put_padded(out, at, cells[base + column], extra)
    source = row if column < 0 else cells[base + column]
    return _put_uid(out, at, ids, source * 36)


@_inlined
def _put_text(texts, bounds, number, out, at, limit):  # type: ignore[no-untyped-def]
    """Copies a text of a pool; returns where it ended, -1 if it does not fit."""
    length = bounds[number + 1] - bounds[number]
    if at + length > limit:
        return -1
    _copy(out, at, texts, bounds[number], length)
    return at + length


@_inlined
def _write_row(  # type: ignore[no-untyped-def]
    row, variant, at_row, cells, children, ids, offsets, first_step, steps, constants, pool, pool_at, local, local_at,
    memo, memo_text, stack, out, at, limit,
):  # fmt: skip
    """Writes one resource; returns where it ended, -1 if it does not fit.

    A frame of the stack is a list that is being written: its step, the row that has it, the position of the child in
    `children`, the position after the last.
    """
    base = at_row[row]
    step = np.int64(first_step[cells[base] + variant])
    frame = -4
    while True:
        length = np.int64(steps[step, 1])
        if at + length > limit:
            return -1
        _copy(out, at, constants, np.int64(steps[step, 0]), length)
        at += length
        kind = steps[step, 2]
        column = np.int64(steps[step, 3])
        if kind == _END:
            if frame < 0:
                return at
            stack[frame + 2] += 1
            if stack[frame + 2] == stack[frame + 3]:  # the list is complete: back to the row that has it
                step = stack[frame] + 1
                row = stack[frame + 1]
                base = at_row[row]
                frame -= 4
                continue
            out[at] = 44
            at += 1
        elif kind == _LIST:
            if cells[base + column + 1] == 0:
                step += 1
                continue
            frame += 4
            stack[frame] = step
            stack[frame + 1] = row
            stack[frame + 2] = cells[base + column]
            stack[frame + 3] = cells[base + column] + cells[base + column + 1]
        else:
            if kind == _TEXT:
                at = _put_text(pool, pool_at, cells[base + column], out, at, limit)
            elif kind == _LOCAL_TEXT or (kind == _DECIMAL and cells[base + column + 1] < 0):
                at = _put_text(local, local_at, cells[base + column], out, at, limit)
            else:
                extra = np.int64(steps[step, 4])
                at = _put_slot(kind, column, extra, row, base, cells, ids, offsets, memo, memo_text, out, at)
            if at < 0:
                return -1
            step += 1
            continue
        # The next child of the list, by the list's template or by its own.
        extra = np.int64(steps[stack[frame], 4])
        row = children[stack[frame + 2]]
        base = at_row[row]
        step = np.int64(first_step[(extra if extra >= 0 else cells[base]) + variant])


@jit
def write_rows(  # type: ignore[no-untyped-def]
    ranges, state, variant, separator, at_row, cells, is_part, children, ids, offsets, first_step, steps, constants,
    pool, pool_at, local, local_at, memo, memo_text, stack, out,
):  # fmt: skip
    """Writes the resources of some ranges of rows, as many as fit.

    Args:
        ranges: [m, 2] int64, rows from ... to.
        state: [4] int64, where to go on: range, row, position in `out`, resources written. Updated.
        variant: The form of the templates (`fhir_export.layout.Variant`). Added to every template number.
        separator: Byte between two resources; 0: none.
        at_row: [rows] int64, first cell of each row.
        cells: [...] int64.
        is_part: [rows] bool; such a row is written only inside another one.
        children: [...] int64, rows, grouped by the row that lists them.
        ids: [36 rows] uint8.
        offsets: [patients] int64, minutes from UTC.
        first_step: [forms * templates] int32.
        steps: [..., 5] int32.
        constants: [...] uint8.
        pool: [...] uint8, lasting texts.
        pool_at: [texts + 1] int64.
        local: [...] uint8, texts of this shard.
        local_at: [texts + 1] int64.
        memo: [3] int64; the dateTime written last: time, offset, length.
        memo_text: [64] uint8; its text.
        stack: [4 depth] int64; lists inside lists.
        out: [...] uint8.

    Returns:
        0 when all rows are written; 1 when `out` is full (the row that did not fit is not begun).
    """
    limit = out.shape[0] - _ROOM
    while state[0] < ranges.shape[0]:
        row = max(state[1], ranges[state[0], 0])
        while row < ranges[state[0], 1]:
            if not is_part[row]:
                at = state[2]
                if separator != 0 and state[3] > 0:
                    out[at] = separator
                    at += 1
                at = _write_row(
                    row, variant, at_row, cells, children, ids, offsets, first_step, steps, constants, pool, pool_at,
                    local, local_at, memo, memo_text, stack, out, at, limit,
                )  # fmt: skip
                if at < 0:
                    state[1] = row
                    return 1
                state[2] = at
                state[3] += 1
            row += 1
        state[0] += 1
        state[1] = 0
    return 0
