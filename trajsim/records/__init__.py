"""Records: the border of trajsim. Everything to the right of it works on real data as well as on simulated data."""

from trajsim.records.csv_read import read_synthea_csv
from trajsim.records.invariants import Problem, check_records, require_valid
from trajsim.records.parquet import read_parquet
from trajsim.records.table import Records, concat

__all__ = ["Problem", "Records", "check_records", "concat", "read_parquet", "read_synthea_csv", "require_valid"]
