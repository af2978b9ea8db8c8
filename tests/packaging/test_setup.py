"""`conversation-tracker-setup` does what the package leaves to do."""

from pathlib import Path

import pytest

from installer import postfix, setup

DOMAIN = "ct.example.com"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a host of which nothing is known: no noted domain, units, configuration or Postfix."""
    monkeypatch.setattr(setup, "NOTED_DOMAIN", tmp_path / "alias-domain")
    monkeypatch.setattr(setup, "_UNITS", tmp_path)
    monkeypatch.setenv("CONVERSATION_TRACKER_CONFIG", str(tmp_path / "tracker.conf"))
    return tmp_path


def run(host: Path, *options: str) -> int:
    """Run it, as a dry run beside a Postfix that is not there."""
    return setup.main(["--dry-run", "--config-dir", str(host / "postfix"), *options])


def test_the_domain_noted_by_the_package_is_taken_unless_another_is_named(host: Path) -> None:
    setup.NOTED_DOMAIN.write_text(f"{DOMAIN}\n")
    assert setup._translate([]).domains == (DOMAIN,)
    assert setup._translate(["--alias-domain", "b.example"]).domains == ("b.example",)
    assert setup._translate(["--remove"]).domains == ()


def test_the_program_is_the_packages(host: Path) -> None:
    assert setup._translate(["--alias-domain", DOMAIN]).prefix == Path("/usr")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "--alias-domain is missing"),
        (("--alias-domain", "ct_example"), "ct_example is no domain name"),
        (("--alias-domain", DOMAIN, "--prefix", "/opt"), "--prefix"),
        (("--alias-domain", DOMAIN, "--signer", "nowhere"), "--signer nowhere"),
    ],
)
def test_what_cannot_be_meant_is_usage(
    host: Path, options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(host, *options) == 2
    assert reason in capsys.readouterr().err


def test_a_noted_domain_that_is_none_is_usage_too(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.NOTED_DOMAIN.write_text("not a domain\n")
    assert run(host) == 2
    assert "not a domain is no domain name" in capsys.readouterr().err


def test_it_refuses_beside_units_of_an_installation_without_the_package(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in /etc hide the package's; it would start the other program."""
    (host / "conversation-tracker.service").touch()
    assert run(host, "--alias-domain", DOMAIN) == 1
    assert "postfix/install --uninstall" in capsys.readouterr().err


def test_what_lacks_is_said_before_anything_is_done(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(host, "--alias-domain", DOMAIN) == 1
    assert "tracker.conf is missing" in capsys.readouterr().err
    lines = "database = postgresql://db.example/tracker\nsocket = unix:/run/milter.sock\n"
    (host / "tracker.conf").write_text(f"[tracker]\n{lines}")
    assert run(host, "--alias-domain", DOMAIN) == 1
    said = capsys.readouterr()
    assert said.err.endswith("apt install postfix\n")
    assert said.out == ""


def test_a_directory_of_somebody_elses_does_not_become_that_of_the_socket(
    host: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postfix, "is_there", lambda _options: True)
    lines = "database = postgresql://db.example/tracker\nsocket = unix:/run/milter.sock\n"
    (host / "tracker.conf").write_text(f"[tracker]\n{lines}")
    assert run(host, "--alias-domain", DOMAIN) == 1
    said = capsys.readouterr()
    assert "/run is not conversation-tracker's own" in said.err
    assert said.out == ""
