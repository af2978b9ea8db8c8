# Short names for a day's work. `make all` is what CI runs.
.PHONY: check unit all

check:  # ruff and mypy
	tests/run --lint

unit:  # ruff, mypy and the unit tests
	tests/run --quick

all:  # everything
	tests/run
