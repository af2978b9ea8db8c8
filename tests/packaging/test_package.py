"""`packaging/build-deb` makes a package in which lintian finds nothing, with all it should have."""

import configparser
import os
import re
import subprocess
from email.parser import Parser
from pathlib import Path

import commands
import manuals
import pytest

from conversation_tracker import __version__

ROOT = Path(__file__).parents[2]
SERVICES = (
    "conversation-tracker",
    "conversation-tracker-follow",
    "conversation-tracker-publish",
    "conversation-tracker-expire",
    "conversation-tracker-web@",
)
TIGHT = 15  # tenths of systemd's exposure level; 100 is a service without any hardening
# What Debian calls the projects of other names.
DEBIAN_NAMES = {"pymilter": "python3-milter"}


def run(*command: str | Path) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package, with lintian's look at it."""
    printed = run(ROOT / "packaging" / "build-deb", "--lint", tmp_path_factory.mktemp("dist"))
    return Path(printed.splitlines()[-1])


@pytest.fixture(scope="module")
def files(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it."""
    directory = tmp_path_factory.mktemp("files")
    run("dpkg-deb", "--raw-extract", package, directory)
    return directory


def test_package_is_for_every_architecture_and_has_the_programs_version(package: Path) -> None:
    assert package.name == f"conversation-tracker_{__version__}_all.deb"


def test_every_file_has_the_time_of_the_commit(package: Path) -> None:
    """The same commit gives the same package, however old a working copy's files are."""
    listed = run("dpkg-deb", "--contents", package).splitlines()
    assert len({" ".join(line.split()[3:5]) for line in listed}) == 1


def test_package_needs_what_the_program_needs(files: Path) -> None:
    """Each requirement of setup.cfg, with its bound, is one of Debian's packages."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = {
        re.sub(r"^([\w.-]+)(?:>=(.*))?$", _write_dependency, line)
        for line in setup["options"]["install_requires"].split()
    }
    control = Parser().parsestr((files / "DEBIAN" / "control").read_text())
    depends = set(control["Depends"].split(", "))
    assert needed <= depends
    ours = {each for each in depends if each.startswith("python3-")}
    assert ours <= needed


def _write_dependency(match: re.Match[str]) -> str:
    project, bound = match[1], match[2]
    name = DEBIAN_NAMES.get(project, "python3-" + project.replace("_", "-").lower())
    return f"{name} (>= {bound})" if bound else name


def test_units_run_the_packages_program_and_are_shut_tight(files: Path) -> None:
    folder = files / "usr/lib/systemd/system"
    assert not (files / "lib").exists()
    assert (folder / "conversation-tracker-expire.timer").is_file()
    for name in SERVICES:
        unit = folder / f"{name}.service"
        assert "\nExecStart=/usr/bin/conversation-tracker " in unit.read_text()
        assert "/opt/" not in unit.read_text()
        run("systemd-analyze", "security", "--offline=true", f"--threshold={TIGHT}", unit)


def test_configuration_is_the_one_in_the_source_and_stays_the_administrators(files: Path) -> None:
    name = "etc/conversation-tracker/conversation-tracker.conf"
    assert (files / name).read_text() == (ROOT / "systemd/conversation-tracker.conf").read_text()
    assert (files / "DEBIAN/conffiles").read_text() == f"/{name}\n"


def test_user_and_the_sockets_directory_are_systemds_to_make(files: Path) -> None:
    user = (files / "usr/lib/sysusers.d/conversation-tracker.conf").read_text()
    assert user == (ROOT / "systemd/conversation-tracker.sysusers").read_text()
    directory = (files / "usr/lib/tmpfiles.d/conversation-tracker.conf").read_text()
    [written] = re.findall(r"^ReadWritePaths=(.*)$", (files / _unit("")).read_text(), re.MULTILINE)
    assert f"\nd {written} 2750 conversation-tracker postfix -\n" in directory


@pytest.mark.parametrize(
    ("state", "restarted"), [("active", True), ("activating", True), ("inactive", False)]
)
def test_an_upgrade_restarts_by_the_new_units_and_after_the_tables(
    tmp_path: Path, state: str, restarted: bool
) -> None:
    """The script runs as it is, beside commands that only say that they were run.

    A service that waits for its database is activating: it too is to come up as the new version.
    """
    script = (ROOT / "packaging/debian/conversation-tracker.postinst").read_text()
    for real, ours in (
        ("/run/systemd/system", str(tmp_path)),
        ("/etc/conversation-tracker", str(tmp_path / "etc")),
        (". /usr/share/debconf/confmodule", "db_get() { RET=; }; db_stop() { :; }"),
    ):
        assert real in script
        script = script.replace(real, ours)
    for name in ("systemctl", "deb-systemd-invoke", "runuser", "getent", "systemd-tmpfiles"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/said\n')
        (tmp_path / name).chmod(0o755)
    with (tmp_path / "systemctl").open("a") as file:
        file.write(f'[ "$1" != is-active ] || {{ echo {state}; [ {state} = active ]; }}\n')
    command = ["sh", "-c", script, "postinst", "configure", "0.0.9"]
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(command, env=environ, check=True, capture_output=True)
    said = (tmp_path / "said").read_text().splitlines()
    known = ("systemctl --system daemon-reload", "runuser ", "deb-systemd-invoke try-restart ")
    wanted = known if restarted else known[:1]
    done = [line for line in said if line.startswith(known)]
    assert [line.startswith(each) for line, each in zip(done, wanted, strict=True)] == [
        True for _each in wanted
    ]


TRACKER = "conversation-tracker/milter.sock"


@pytest.mark.parametrize(
    ("main", "services", "asked"),
    [
        ("", "", False),
        (f"unix:{TRACKER}", "", True),
        ("regexp:/etc/postfix/tracker_transport", "", True),
        ("inet:192.0.2.1:8891, inet:127.0.0.1:8892", "", True),
        ("{ inet:localhost:8892, connect_timeout=2s }", "", True),
        ("", "smtp/inet/smtpd_milters = inet:[::1]:8892", True),
        ("inet:127.0.0.1:88921, inet:127.0.0.1:8891", "", False),
        ("", "smtp/inet/milter_macro_v = conversation-tracker", False),
    ],
)
def test_removal_warns_while_postfix_asks_the_tracker(
    tmp_path: Path, main: str, services: str, asked: bool
) -> None:
    """By whatever name Postfix knows its socket."""
    script = (ROOT / "packaging/debian/conversation-tracker.prerm").read_text()
    script = script.replace("/etc/conversation-tracker", str(tmp_path))
    script = script.replace("/run/systemd/system", str(tmp_path / "absent"))
    (tmp_path / "conversation-tracker.conf").write_text("[tracker]\nsocket = inet:8892@127.0.0.1\n")
    (tmp_path / "postconf").write_text(
        f"#!/bin/sh\n[ \"$1\" = -P ] && echo '{services}' || echo '{main}'\n"
    )
    (tmp_path / "postconf").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", script, "prerm", "remove"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ("conversation-tracker-setup --remove" in done.stderr) is asked
    (tmp_path / "conversation-tracker.conf").unlink()
    subprocess.run(
        ["sh", "-c", script, "prerm", "remove"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True,
    )  # fmt: skip


def _unit(what: str) -> str:
    return f"usr/lib/systemd/system/conversation-tracker{what}.service"


def test_one_question_is_asked_and_its_answer_may_be_empty(files: Path) -> None:
    questions = re.findall(r"^Template: (.*)$", (files / "DEBIAN/templates").read_text(), re.M)
    assert questions == ["conversation-tracker/alias-domain"]


def test_readme_is_a_page_and_names_commands_that_are_there(files: Path) -> None:
    text = (files / "usr/share/doc/conversation-tracker/README.Debian").read_text()
    assert len(text.splitlines()) <= 66
    for name in re.findall(r"\b(conversation-tracker-(?:setup|configure))\b", text):
        assert (files / "usr/sbin" / name).is_file()
    for path in re.findall(r"(/(?:usr|etc)/[\w./-]*\w)", text):
        made_later = path.endswith("alias-domain")
        assert made_later or (files / path.lstrip("/")).exists(), path


def test_links_of_the_pages_lead_to_what_the_package_has(files: Path) -> None:
    folder = files / "usr/share/doc/conversation-tracker"
    pages = sorted(folder.glob("*.md"))
    sources = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
    assert {page.name for page in pages} == {source.name for source in sources}
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (files / target[1:] if target[0] == "/" else folder / target).exists(), target


def test_changelog_has_every_point_of_ours(files: Path) -> None:
    path = files / "usr/share/doc/conversation-tracker/changelog.gz"
    text = run("zcat", path)
    assert text.startswith(f"conversation-tracker ({__version__}) unstable; urgency=medium\n")
    points = re.findall(r"^- ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert len(re.findall(r"^  \* ", text, re.MULTILINE)) == len(points)


# Manuals ---------------------------------------------------------------------------------------


def _find_pages(files: Path) -> dict[str, Path]:
    return {path.name.removesuffix(".gz"): path for path in files.glob("usr/share/man/man*/*.gz")}


def test_every_command_with_options_has_a_page_that_names_them(files: Path) -> None:
    pages = _find_pages(files)
    assert {"conversation-tracker.1", "conversation-tracker.conf.5"} <= pages.keys()
    for command in commands.list_commands():
        for each in [command, *command.subcommands.values()]:
            names = {name for action in each.options for name in action.option_strings}
            names -= {"-h", "--help"}
            if not names:
                continue
            page = pages[f"{each.name}.{each.section}"]
            shown = _render(page)
            for name in names:
                assert re.search(rf"(?<![\w-]){name}(?![\w-])", shown), (page, name)


def _render(page: Path) -> str:
    """Return a page as text; whatever groff says of it is an error."""
    source = run("zcat", page)
    command = ["groff", "-mandoc", "-ww", "-Tascii", "-P-cbou", "-rHY=0"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    assert done.stderr == "", page
    return done.stdout


def test_a_page_cut_out_of_the_kept_one_has_its_whole_entry() -> None:
    entries = manuals.cut_entries(manuals.KEPT.read_text())
    [program] = [each for each in commands.list_commands() if each.subcommands]
    assert entries.keys() == program.subcommands.keys()
    arguments, text = entries["explain"]
    assert arguments.startswith(".Fl -rcpt")
    assert arguments.endswith(".Ar MESSAGE.eml")
    assert text.endswith(".El")
    assert text.count(".Bl") == text.count(".El") == 1


# Completion ------------------------------------------------------------------------------------


def complete(files: Path, *words: str, cwd: Path) -> set[str]:
    """Return what bash offers for the last word."""
    script = files / "usr/share/bash-completion/completions" / words[0]
    function = "_" + words[0].replace("-", "_")
    program = f'. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); {function}; printf "%s\\n" "${{COMPREPLY[@]}}"'  # noqa: E501
    done = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", str(script), *words],
        capture_output=True, text=True, check=True, cwd=cwd,
    )  # fmt: skip
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_offers_what_the_parsers_know(files: Path, tmp_path: Path) -> None:
    """Walked by what argparse has, not by what the completion was made of."""
    (tmp_path / "message.eml").touch()
    for command in commands.list_commands():
        cases = [((command.name,), command)]
        cases += [((command.name, name), each) for name, each in command.subcommands.items()]
        for words, each in cases:
            known = set(each.parser._option_string_actions)
            assert complete(files, *words, "-", cwd=tmp_path) == known
            for name, action in each.parser._option_string_actions.items():
                offered = complete(files, *words, name, "", cwd=tmp_path)
                if action.choices:
                    assert offered == set(action.choices)
                elif action.metavar in ("FILE", "DIR"):
                    assert offered == {"message.eml"}
                elif action.metavar:
                    assert offered == set()
        offered = complete(files, command.name, "", cwd=tmp_path)
        assert offered >= set(command.subcommands)
    program = ("conversation-tracker", "-c", "tracker.conf")
    assert complete(files, *program, "time", cwd=tmp_path) == {"timeline"}
    assert complete(files, *program, "explain", "", cwd=tmp_path) == {"message.eml"}


def test_shells_that_look_for_a_file_of_the_commands_name_find_one(files: Path) -> None:
    for command in commands.list_commands():
        for folder, end in (
            ("bash-completion/completions", ""),
            ("fish/vendor_completions.d", ".fish"),
        ):
            assert (files / "usr/share" / folder / f"{command.name}{end}").is_file(), command.name


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("zsh", "usr/share/zsh/vendor-completions/_conversation-tracker"),
        ("fish", "usr/share/fish/vendor_completions.d/conversation-tracker.fish"),
    ],
)
def test_other_shells_are_told_every_option(files: Path, shell: str, script: str) -> None:
    text = (files / script).read_text()
    for command in commands.list_commands():
        for each in [command, *command.subcommands.values()]:
            for name in each.parser._option_string_actions:
                plain = name.lstrip("-")
                told = f"-l {plain} " if len(plain) > 1 else f"-s {plain} "
                assert (f"{name}[" if shell == "zsh" else told) in text


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"DEBFULLNAME": "A. B"}, 2),
        ({"DEBEMAIL": "a@example.com"}, 2),
        ({"DEBFULLNAME": "A <B>", "DEBEMAIL": "a@example.com"}, 2),
    ],
)
def test_a_maintainer_is_named_whole_or_not_at_all(environ: dict[str, str], code: int) -> None:
    command = [str(ROOT / "packaging" / "build-deb")]
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, check=False)
    assert done.returncode == code


def test_the_package_of_nobody_names_nobody(files: Path) -> None:
    control = Parser().parsestr((files / "DEBIAN" / "control").read_text())
    assert control["Maintainer"].startswith("Local build without a named maintainer <nobody@")
    changelog = run("zcat", files / "usr/share/doc/conversation-tracker/changelog.gz")
    assert set(re.findall(r"^ -- (.*>)  ", changelog, re.M)) == {control["Maintainer"]}


# The programs --------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["build-deb", "check", "boot"])
@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("--no-such-option", 2)])
def test_programs_tell_their_usage_and_refuse_what_they_do_not_know(
    program: str, option: str, code: int
) -> None:
    command = [str(ROOT / "packaging" / program), option]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert f"Usage: {program} " in done.stdout if code == 0 else "--help" in done.stderr
