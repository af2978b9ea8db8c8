"""Judges at the end what the program said, and reports it as one more test.

Where pytest-xdist runs the tests in several processes, each hands on what it captured, and all of
it is judged once: what one process said is searched for the addresses that another used.
"""

import pickle
from typing import Any

import pytest

from output_capture import OutputCapture

_NAME = "tests/audit::nothing_that_was_said_names_an_address"
_OUTPUT = "captured"
_SHOWN = 20


class Verdict:
    """A plugin of pytest, beside `OutputCapture`."""

    def __init__(self, capture: OutputCapture) -> None:
        self._capture = capture
        self._lost: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what another process captured; what one that broke down had is lost."""
        captured = getattr(node, "workeroutput", None) or {}
        if _OUTPUT in captured:
            self._capture.join(*pickle.loads(captured[_OUTPUT]))
        else:
            self._lost.append(f"nobody knows what the process {node.gateway.id} said")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand on what was captured, or report the verdict."""
        self._capture.stop()
        if session.config.option.collectonly:
            return
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            # Pickled, since texts may hold what is no UTF-8.
            output[_OUTPUT] = pickle.dumps((self._capture.gathered, self._capture.kept))
            return
        leaks = list(dict.fromkeys(map(str, self._capture.leaks())))
        complaints = [f"{len(leaks)} texts name an address", *leaks[:_SHOWN]] if leaks else []
        complaints += self._lost
        report = pytest.TestReport(
            _NAME,
            (_NAME, None, "what was said"),
            {},
            "failed" if complaints else "passed",
            "\n".join(complaints) or None,
            "call",
        )
        session.config.hook.pytest_runtest_logreport(report=report)
        if complaints:
            session.testsfailed += 1
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write how much was searched."""
        gathered = self._capture.gathered
        counts = ", ".join(f"{count} {kind}" for kind, count in gathered.sources.items())
        terminalreporter.write_line(
            f"searched for {len(gathered.addresses)} addresses in: {counts or 'no output'}"
        )
