"""The report of ``trajsim ingest`` as tables: what was kept, what was left out and why."""

from rich import box
from rich.console import Console
from rich.table import Table

from trajsim.cli.console import count
from trajsim.learn.ingest.report import IngestReport, Unmapped

_SHOWN = 10


def show_report(report: IngestReport) -> None:
    """Prints the report as tables, on standard output."""
    console = Console(highlight=False, markup=False)
    n_read, n_rows = report.n_patients_read, report.n_rows_read
    console.print(f"{report.source}, mapping {report.mapping}: {count(n_read, 'patient')}, {count(n_rows, 'row')}")
    _show_patients(console, report)
    _show_events(console, report)
    _show_labs(console, report)
    for title, listed in (
        ("codes without a meaning", report.unmapped_codes),
        ("units without a conversion", report.unmapped_units),
        ("answers without a value", report.unmapped_answers),
    ):
        _show_unmapped(console, title, listed)


def _show_patients(console: Console, report: IngestReport) -> None:
    table = Table("patients and rows", "count", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    table.add_row("patients kept", f"{report.n_patients:,}")
    for name, number in report.patients_left_out.items():
        table.add_row(f"  left out: {name}", f"{number:,}")
    if report.n_cut_at_max_years:
        table.add_row("  observed longer than max_years", f"{report.n_cut_at_max_years:,}")
    table.add_row("years under observation", f"{report.person_years:,.1f}")
    table.add_row("days with something", f"{report.n_days:,}", end_section=True)
    for name, number in report.rows.items():
        table.add_row(f"rows: {name}", f"{number:,}")
    for name, number in report.reader_counts.items():
        table.add_row(f"reader: {name}", f"{number:,}")
    console.print(table)


def _show_events(console: Console, report: IngestReport) -> None:
    table = Table("event", "at entry", "first after entry", "forbidden by modules", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for event in report.events:
        forbidden = f"{event.n_forbidden:,}" if report.is_checked_against_modules else "not asked"
        table.add_row(event.name, f"{event.n_prevalent:,}", f"{event.n_first:,}", forbidden)
    console.print(table)


def _show_labs(console: Console, report: IngestReport) -> None:
    if not report.labs:
        return
    table = Table("lab", "at entry", "after entry", "patients", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for lab in report.labs:
        table.add_row(lab.name, f"{lab.n_entry_values:,}", f"{lab.n_values:,}", f"{lab.n_patients:,}")
    console.print(table)


def _show_unmapped(console: Console, title: str, listed: tuple[Unmapped, ...]) -> None:
    if not listed:
        return
    table = Table(title, "", "rows", box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    for item in listed[:_SHOWN]:
        table.add_row(item.where, item.what, f"{item.n_rows:,}")
    if len(listed) > _SHOWN:
        rest = listed[_SHOWN:]
        table.add_row(f"{len(rest):,} more", "in report.json", f"{sum(item.n_rows for item in rest):,}")
    console.print(table)
