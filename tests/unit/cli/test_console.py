import errno
import locale

import pytest

from trajsim.cli import console
from trajsim.cli.os_faults import error_from_os


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 patients"), (1, "1 patient"), (999, "999 patients"), (1_234_567, "1,234,567 patients")]
)
def test_counts_are_grouped_and_agree(number: int, text: str) -> None:
    assert console.count(number, "patient") == text


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_have_binary_units(n_bytes: int, text: str) -> None:
    assert console.size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.21, "4.2 s"), (61, "1 min 1 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")]
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


def test_numbers_do_not_follow_the_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "")
        assert console.count(1234567, "row") == "1,234,567 rows"
    finally:
        locale.setlocale(locale.LC_ALL, before)


def test_results_and_remarks_go_to_different_streams(capsys: pytest.CaptureFixture[str]) -> None:
    console.show("result")
    console.say("remark")
    console.say("hidden", quiet=True)
    console.complain("what went wrong")
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err == "remark\nerror: what went wrong\n"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "error"),
    ],
)
def test_a_fault_of_the_system_is_said_with_the_file(number: int, says: str) -> None:
    error = error_from_os(OSError(number, "Input/output error", "out/x.csv"))
    assert error.message.startswith("out/x.csv: ")
    assert says in error.message
    assert error.exit_code == 3


def test_a_fault_without_a_number_keeps_its_sentence() -> None:
    assert error_from_os(OSError("12 requested and 0 written")).message == "12 requested and 0 written"
