"""The engine: modules compiled to a program, and lives simulated from it.

The names below are what most users need; the rest of the room serves those who compare interpreters or read logs.
"""

from trajsim.engine.compile import compile_modules
from trajsim.engine.metrics import StateMetrics
from trajsim.engine.options import PerformanceOptions, SimulationOptions
from trajsim.engine.program import Program
from trajsim.engine.simulate import Patient, Run, Shard, simulate

__all__ = [
    "Patient",
    "PerformanceOptions",
    "Program",
    "Run",
    "Shard",
    "SimulationOptions",
    "StateMetrics",
    "compile_modules",
    "simulate",
]
