import datetime as dt
from pathlib import Path

import pytest

from tests.unit.trials.forecast.logs import AS_OF, draw_trial, write
from trajsim.errors import ConfigError, DataFileError
from trajsim.trials.forecast.log import NEVER, AccrualLog, LogSite
from trajsim.trials.forecast.log_reader import read_accrual_log


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def faults(path: Path, sites: Path | None = None) -> list[str]:
    with pytest.raises(DataFileError) as caught:
        read_accrual_log(path, as_of=AS_OF, sites=sites)
    return str(caught.value).splitlines()


def test_one_row_a_subject(tmp_path: Path) -> None:
    path = write(
        tmp_path / "log.csv",
        "Subject,site,randomized,event,dropout,last_seen,arm",
        "a,S2,2025-03-01,2025-05-01,,,x",
        "b,S1,2025-04-01,,2025-06-01,,y",
        "",
        "c,S1,2025-02-01,,,2025-07-01,x",
        "d,S1,2025-02-01,,,,y",
    )
    log = read_accrual_log(path, as_of=AS_OF)
    assert [site.name for site in log.sites] == ["S1", "S2"]
    assert [(site.opened, site.is_opening_known) for site in log.sites] == [
        (day("2025-02-01"), False),
        (day("2025-03-01"), False),
    ]
    assert log.site.tolist() == [1, 0, 0, 0]
    assert log.event.tolist() == [day("2025-05-01"), NEVER, NEVER, NEVER]
    assert log.follow_up_days().tolist() == [61.0, 61.0, 150.0, 333.0]
    assert log.has_event.tolist() == [True, False, False, False]
    assert log.has_dropped_out.tolist() == [False, True, False, False]
    assert (log.n_subjects, log.n_events, log.counts().tolist()) == (4, 1, [3, 1])


def test_counts_by_day_and_site(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "date,site,count", "2025-03-01,A,2", "2025-03-02,A,0", "2025-03-05,B,1")
    log = read_accrual_log(path, as_of=AS_OF)
    assert log.counts().tolist() == [2, 1]
    assert not log.has_follow_up
    assert log.n_events == 0


def test_a_file_of_sites_names_those_without_patients(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "subject,site,randomised", "a,B,2025-03-01")
    sites = write(
        tmp_path / "sites.csv",
        "site,opened,closed,cap",
        "A,2025-01-01,,",
        "B,2025-02-01,2025-06-30,10",
        "C,2026-02-01,,",
    )
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    assert log.sites[0] == LogSite(name="A", opened=day("2025-01-01"))
    assert log.sites[1] == LogSite(name="B", opened=day("2025-02-01"), closed=day("2025-06-30"), cap=10)
    assert log.counts().tolist() == [0, 1, 0]
    assert not log.has_follow_up


def test_all_faults_are_told_at_once_by_file_and_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "log.csv",
        "subject,site,randomised,event,dropout,last_seen",
        "a,A,2025-03-01,2025-02-01,,",
        "a,A,2026-03-01,,,",
        "b,B,2025-13-01,,,",
        "c,Z,2025-03-01,,,",
        ",A,,,,",
        "d,A,2025-03-01,2025-06-01,2025-05-01,",
        "e,A,2025-03-01",
        "f,A,2024-12-01,,,",
        "g,B,2025-07-01,,,",
        "h,,2025-03-01,,,",
    )
    sites = write(
        tmp_path / "sites.csv",
        "site,opened,closed,cap",
        "A,2025-01-01,,",
        "B,2025-01-01,2025-06-30,many",
        "B,2025-01-01,,",
        "C,2025-05-01,2025-04-01,",
        "D,,,",
        ",2025-01-01,,",
    )
    lines = faults(path, sites)
    assert lines[0] == "17 faults in the accrual log"
    told = [line.rpartition("csv: ")[2] for line in lines[1:]]
    assert told == [
        "row 8: expected 6 cells, got 3",
        "row 2: event: 2025-02-01 lies before randomisation on 2025-03-01",
        "row 3: subject 'a' stands in row 2 already",
        "row 3: randomised: 2026-03-01 lies after the day of the log, 2025-12-31",
        "row 4: randomised: expected a date such as 2026-03-31, got '2025-13-01'",
        "row 5: site: 'Z' is not in the file of sites",
        "row 6: subject: no name",
        "row 6: randomised: no date",
        "row 7: event: 2025-06-01 lies after dropout on 2025-05-01",
        "row 9: randomised on 2024-12-01, before site 'A' opened on 2025-01-01",
        "row 10: randomised on 2025-07-01, after site 'B' closed on 2025-06-30",
        "row 11: site: no name",
        "row 3: cap: expected a whole number, got 'many'",
        "row 4: site: 'B' stands there twice",
        "row 5: site 'C' closes on 2025-04-01, before it opens on 2025-05-01",
        "row 6: opened: no date",
        "row 7: site: no name",
    ]


def test_faults_of_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "log.csv",
        "date,site,count",
        "2025-03-01,A,2",
        "2025-03-01,A,1",
        "2026-03-01,A,1",
        "2025-03-02,A,-1",
        ",A,",
    )
    assert [line.rpartition("csv: ")[2] for line in faults(path)[1:]] == [
        "row 3: site 'A' and date 2025-03-01 stand in row 2 already",
        "row 4: date: 2026-03-01 lies after the day of the log, 2025-12-31",
        "row 5: count: expected a whole number, got '-1'",
        "row 6: date: empty",
        "row 6: count: empty",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"subject,site\na,A\n", "no column 'randomised'"),
        (b"subject,site,randomised,randomised,colour\n", "stands there 2 times"),
        (b"subject,site,randomised,colour\n", "unknown column 'colour'"),
        (b"subject,site,randomised\n\xff,A,2025-01-01\n", "UTF-8"),
        (b'subject,site,randomised\n"a,A,2025-01-01\n', "no CSV file"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert words in "\n".join(faults(path))


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    assert "cannot be read" in faults(tmp_path / "none.csv")[1]


def test_a_log_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfsubject,site,randomised\r\na,A,2025-01-01\r\n")
    assert read_accrual_log(path, as_of=AS_OF).n_subjects == 1


def test_a_drawn_trial_is_read(tmp_path: Path) -> None:
    path, sites = draw_trial(tmp_path, seed=1)
    log = read_accrual_log(path, as_of=AS_OF, sites=sites)
    assert log.n_subjects > 50
    assert 0 < log.n_events < log.n_subjects


def test_logs_made_elsewhere_are_checked(tmp_path: Path) -> None:
    log = read_accrual_log(write(tmp_path / "log.csv", "subject,site,randomised", "a,B,2025-03-01"), as_of=AS_OF)
    with pytest.raises(ConfigError, match="not after the day"):
        AccrualLog(as_of=1, sites=log.sites, site=log.site, randomised=log.randomised, has_follow_up=False)
    with pytest.raises(ConfigError, match="day of randomisation"):
        AccrualLog(as_of=log.as_of, sites=log.sites, site=log.site, randomised=log.randomised)
