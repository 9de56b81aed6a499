"""The engine: modules compiled to a program, and lives simulated from it."""
