"""The configuration file: what is taken, and every way in which it is refused."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_tracker.config import config
from conversation_tracker.config.config import Config, ConfigError, Socket
from conversation_tracker.config.options import OPTIONS, SECTIONS

EXAMPLE = Path(__file__).parents[3] / "systemd" / "conversation-tracker.conf"
DATABASE = "postgresql:///conversation_tracker"
SOCKET = "unix:/run/tracker/milter.sock"
SECRET = "hunter2"


def write(directory: Path, text: str | bytes) -> Path:
    """Write a configuration file and return its path."""
    path = directory / "tracker.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(directory: Path, text: str | bytes) -> Config:
    """Load a configuration of this text."""
    return config.load(write(directory, text), {})


def ini(**options: str) -> str:
    """Return a valid configuration's text with these options set, in place of the usual ones."""
    options = {"database": DATABASE, "socket": SOCKET} | options
    return "[tracker]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())


def faults(directory: Path, text: str | bytes) -> list[str]:
    """Return the faults of this text, each without the file's name, which must begin it."""
    path = write(directory, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, {})
    lines = str(caught.value).split("\n")
    assert tuple(lines) == caught.value.faults
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


# What is taken


def test_two_options_are_enough(tmp_path):
    """With only database and socket set, every other option has its default."""
    path = write(tmp_path, ini())
    assert config.load(path, {}) == Config(
        database=DATABASE,
        socket=Socket("unix", path="/run/tracker/milter.sock"),
        workers=len(os.sched_getaffinity(0)),
        trusted_networks=read(
            tmp_path, ini(trusted_networks="127.0.0.0/8 ::1/128")
        ).trusted_networks,
        authserv_id="",
        postmaster="",
        metrics=None,
        log_format="json",
        path=path,
    )


def test_every_option_can_be_set(tmp_path):
    """A file that sets everything, with comments behind values, is taken as it says."""
    loaded = read(
        tmp_path,
        """; a comment
# another
[tracker]
database = host=a,b dbname=x   ; two hosts
socket = inet:8890@127.0.0.1\t; a port
workers = 3 ; three
trusted_networks = 192.0.2.0/24,
    2001:db8::/32   ; ours

    198.51.100.7
authserv_id = mx.example.com
postmaster = Admin@Example.com ; reads it
metrics = [::1]:9000
log_format = console
""",
    )
    assert loaded.database == "host=a,b dbname=x"
    assert loaded.socket == Socket("inet", host="127.0.0.1", port=8890)
    assert loaded.workers == 3
    assert [str(network) for network in loaded.trusted_networks] == [
        "192.0.2.0/24",
        "2001:db8::/32",
        "198.51.100.7/32",
    ]
    assert loaded.authserv_id == "mx.example.com"
    assert loaded.postmaster == "Admin@example.com"
    assert loaded.metrics == ("::1", 9000)
    assert loaded.log_format == "console"


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://u@db1.example.com:5432,db2.example.com:5433/x?target_session_attrs=any",
        "postgres://tracker:a%3Bb%40c@db.example.com/x",
        "postgresql://[2001:db8::1]:5432/x",
        "postgresql:///x?host=/run/postgresql",
        "dbname=x user=tracker",
        "service=tracker",
        "host=@abstract dbname=x",
        "dbname=100%(x)s",
    ],
)
def test_database_is_any_conninfo(tmp_path, database):
    """URIs and KEY=VALUE pairs, several hosts and percent signs are taken as they stand."""
    assert read(tmp_path, ini(database=database)).database == database


@pytest.mark.parametrize(
    ("text", "libmilter", "shown"),
    [
        ("unix:/run/a.sock", "unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:/" + "x" * 102, "unix:/" + "x" * 102, "unix:/" + "x" * 102),
        ("inet:1@127.0.0.1", "inet:1@[127.0.0.1]", "inet:127.0.0.1:1"),
        ("inet:65535@Milter.Example.COM", "inet:65535@milter.example.com", None),
        ("inet:8890@localhost", "inet:8890@localhost", "inet:localhost:8890"),
        ("inet:8890@::1", "inet6:8890@[::1]", "inet:[::1]:8890"),
        ("inet:8890@[0:0::1]", "inet6:8890@[::1]", "inet:[::1]:8890"),
    ],
)
def test_socket_is_named_for_libmilter_and_for_people(tmp_path, text, libmilter, shown):
    """IPv6 is inet6 with brackets for libmilter; `str` is as Postfix writes it."""
    socket = read(tmp_path, ini(socket=text)).socket
    assert socket.libmilter == libmilter
    assert str(socket) == (shown or "inet:milter.example.com:65535")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("[2001:db8:0::1]:80", ("2001:db8::1", 80)),
        ("metrics.example.com:1", ("metrics.example.com", 1)),
        ("", None),
    ],
)
def test_metrics_is_host_and_port(tmp_path, text, expected):
    """HOST:PORT is taken apart; empty is off."""
    assert read(tmp_path, ini(metrics=text)).metrics == expected


@pytest.mark.parametrize(
    ("log_format", "isatty", "expected"),
    [
        ("auto", False, "json"),
        ("auto", True, "console"),
        ("json", True, "json"),
        ("console", False, "console"),
    ],
)
def test_auto_log_format_depends_on_the_terminal(tmp_path, log_format, isatty, expected):
    """Only auto asks whether the log goes to a terminal."""
    path = write(tmp_path, ini(log_format=log_format))
    assert config.load(path, {}, isatty=isatty).log_format == expected


def test_path_comes_from_argument_then_environment_then_default(tmp_path, monkeypatch):
    """The argument wins over the variable, which wins over the default unless it is empty."""
    argument, variable, default = (tmp_path / name for name in ("a.conf", "v.conf", "d.conf"))
    for path in (argument, variable, default):
        path.write_text(ini())
    monkeypatch.setattr(config, "DEFAULT_PATH", default)
    environ = {"CONVERSATION_TRACKER_CONFIG": str(variable)}
    assert config.load(argument, environ).path == argument
    assert config.load(None, environ).path == variable
    assert config.load(None, {"CONVERSATION_TRACKER_CONFIG": ""}).path == default
    assert config.load(None, {}).path == default


@pytest.mark.parametrize("prefix", ["\ufeff", "\r\n", "\n\n"])
def test_editors_traces_do_no_harm(tmp_path, prefix):
    """A byte order mark and the line ends of other systems are read past."""
    text = prefix + ini(workers="2").replace("\n", "\r\n")
    assert read(tmp_path, text).workers == 2


def test_repr_does_not_show_the_database(tmp_path):
    """A configuration printed by accident tells no password."""
    loaded = read(tmp_path, ini(database=f"postgresql://u:{SECRET}@db.example.com/x"))
    assert SECRET in loaded.database
    assert SECRET not in repr(loaded)


# Who is trusted


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ("127.0.0.0/8 ::1/128", "127.9.9.9", True),
        ("127.0.0.0/8 ::1/128", "::1", True),
        ("127.0.0.0/8 ::1/128", "::2", False),
        ("127.0.0.0/8 ::1/128", "192.0.2.1", False),
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
        ("[::ffff:192.0.2.0]/120", "192.0.2.7", True),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.2.7", True),
        ("::/0", "192.0.2.7", False),
        ("::/0", "::ffff:192.0.2.7", False),
        ("[2001:db8::]/32", "2001:DB8::5", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("", "127.0.0.1", False),
        ("0.0.0.0/0 ::/0", "unknown", False),
        ("0.0.0.0/0 ::/0", "unix", False),
        ("0.0.0.0/0 ::/0", "", False),
        ("0.0.0.0/0 ::/0", "localhost", False),
        ("0.0.0.0/0 ::/0", "127.0.0.1\x00", False),
        ("0.0.0.0/0 ::/0", "127.0.0.1 ", False),
        ("0.0.0.0/0 ::/0", "127.0.0.01", False),
    ],
)
def test_trust_follows_the_networks(tmp_path, networks, address, expected):
    """An address is trusted inside a network; what is no address is never trusted."""
    assert read(tmp_path, ini(trusted_networks=networks)).trusts(address) is expected


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_trusted_as_the_ipv4_address_it_is(address):
    """`::ffff:A` and `A` get the same answer."""
    loaded = Config(
        database="",
        socket=Socket("unix", path="/x"),
        workers=1,
        trusted_networks=(OPTIONS["trusted_networks"].read("10.0.0.0/8 128.0.0.0/1")),
        authserv_id="",
        postmaster="",
        metrics=None,
        log_format="json",
        path=Path("x"),
    )
    expected = address.packed[0] == 10 or address.packed[0] >= 128
    assert loaded.trusts(str(address)) is expected
    assert loaded.trusts(f"::ffff:{address}") is expected


# What is refused


@pytest.mark.parametrize(
    ("options", "key", "reason"),
    [
        ({"database": ""}, "database", "is empty; write for instance postgresql:///"),
        ({"database": "tracker"}, "database", "is neither a libpq URI"),
        ({"database": f"postgresql://u:{SECRET} x@h/x?q=1"}, "database", "is neither a libpq URI"),
        ({"database": f"postgresql://u:{SECRET} ;x@h/x"}, "database", "has a port that is no"),
        ({"database": f"postgresql://u:x@{SECRET}@h/x"}, "database", "has an @ inside a host"),
        ({"database": "postgresql://u:%80@h/x"}, "database", "is neither a libpq URI"),
        ({"database": "host=h port=x"}, "database", "has a port that is no number"),
        ({"database": "postgresql://a:1,b:65536/x"}, "database", "has a port that is no number"),
        ({"database": f"password={SECRET} x"}, "database", "is neither a libpq URI"),
        ({"database": f"host=h\n  password={SECRET}"}, "database", "goes on over several lines"),
        ({"database": f"password={SECRET}\x7f"}, "database", "holds a character that cannot"),
        ({"socket": ""}, "socket", "'' is neither unix:/PATH nor inet:PORT@HOST"),
        ({"socket": "/run/x.sock"}, "socket", "'/run/x.sock' is neither unix:/PATH nor inet:"),
        ({"socket": "unix:run/x"}, "socket", "'run/x' is no absolute path of a socket"),
        ({"socket": "unix:/run/"}, "socket", "'/run/' is no absolute path of a socket"),
        ({"socket": "unix:/" + "x" * 103}, "socket", "the path has 104 bytes; a socket's has at"),
        ({"socket": "unix:/" + "ü" * 52}, "socket", "the path has 105 bytes; a socket's has at"),
        ({"socket": "inet:127.0.0.1:8890"}, "socket", "'inet:127.0.0.1:8890' is neither unix:"),
        ({"socket": "inet:0@127.0.0.1"}, "socket", "'0' is no port; write inet:PORT@HOST"),
        ({"socket": "inet:65536@127.0.0.1"}, "socket", "'65536' is no port"),
        ({"socket": "inet:x@127.0.0.1"}, "socket", "'x' is no port"),
        ({"socket": "inet:8890@"}, "socket", "'' is neither an IP address nor a host's name"),
        ({"socket": "inet:8890@-x"}, "socket", "'-x' is neither an IP address nor a host's"),
        ({"socket": "inet:8890@127.0.0.256"}, "socket", "'127.0.0.256' is neither an IP address"),
        ({"socket": "tcp:8890@127.0.0.1"}, "socket", "the value is neither unix:/PATH nor inet:"),
        ({"socket": f"u:{SECRET}@h"}, "socket", "the value is neither unix:/PATH nor inet:"),
        ({"workers": ""}, "workers", "'' is neither auto nor a number from 1 to 256"),
        ({"workers": "0"}, "workers", "'0' is neither auto nor a number"),
        ({"workers": "257"}, "workers", "'257' is neither auto nor a number"),
        ({"workers": "-1"}, "workers", "'-1' is neither auto nor a number"),
        ({"workers": "1.5"}, "workers", "'1.5' is neither auto nor a number"),
        ({"workers": "٣"}, "workers", "'٣' is neither auto nor a number"),
        ({"workers": "Auto"}, "workers", "'Auto' is neither auto nor a number"),
        ({"workers": "4 # four"}, "workers", "'4 # four' is neither auto nor a number"),
        ({"workers": "9" * 5000}, "workers", "the value is neither auto nor a number"),
        ({"workers": f"postgresql://u:{SECRET}@h/x"}, "workers", "the value is neither auto"),
        ({"workers": f"password={SECRET}"}, "workers", "the value is neither auto"),
        (
            {"trusted_networks": "10.1.2.3/8"},
            "trusted_networks",
            "'10.1.2.3/8' has host bits set; write 10.0.0.0/8 for the network "
            "or 10.1.2.3/32 for the one host",
        ),
        (
            {"trusted_networks": "[2001:db8::1]/32"},
            "trusted_networks",
            "'[2001:db8::1]/32' has host bits set; write 2001:db8::/32 for the network "
            "or 2001:db8::1/128 for the one host",
        ),
        ({"trusted_networks": "localhost"}, "trusted_networks", "'localhost' is no network"),
        ({"trusted_networks": "10.0.0.0/33"}, "trusted_networks", "'10.0.0.0/33' is no network"),
        ({"trusted_networks": "10.0.0.0/"}, "trusted_networks", "'10.0.0.0/' is no network"),
        ({"trusted_networks": "/8"}, "trusted_networks", "'/8' is no network"),
        ({"trusted_networks": "10"}, "trusted_networks", "'10' is no network"),
        ({"authserv_id": "a b"}, "authserv_id", "'a b' is no single word such as mx.example"),
        ({"authserv_id": "a;b"}, "authserv_id", "'a;b' is no single word"),
        ({"postmaster": "root"}, "postmaster", "is no mail address; write for instance postmas"),
        ({"postmaster": "a@x.example b@x.example"}, "postmaster", "is no mail address"),
        ({"postmaster": "jörg@x.example"}, "postmaster", "has a local part that is not ASCII"),
        ({"metrics": "9000"}, "metrics", "'9000' is no HOST:PORT; write for instance 127.0.0.1"),
        ({"metrics": ":9000"}, "metrics", "':9000' is no HOST:PORT"),
        ({"metrics": "::1:9000"}, "metrics", "'::1:9000' is no HOST:PORT"),
        ({"metrics": "127.0.0.1:0"}, "metrics", "'127.0.0.1:0' is no HOST:PORT"),
        ({"metrics": "[::1]"}, "metrics", "'[::1]' is no HOST:PORT"),
        ({"log_format": "xml"}, "log_format", "'xml' is none of auto, json, console"),
        ({"log_format": ""}, "log_format", "'' is none of auto, json, console"),
    ],
)
def test_a_bad_value_is_refused_for_its_reason(tmp_path, options, key, reason):
    """Each bad value gives one line with section, key and reason, and shows no password."""
    (fault,) = faults(tmp_path, ini(**options))
    assert fault.startswith(f"[tracker] {key}: {reason}")
    assert SECRET not in fault


GOOD = ini()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("database = x\n", ["line 1: stands before a section; begin with [tracker]"]),
        (f"\n{SECRET}\n[tracker]", ["line 2: stands before a section; begin with [tracker]"]),
        (b"[tracker]\nworkers = \xff", ["is not UTF-8; save it as UTF-8 text"]),
        (b"[tracker]\0", ["holds a NUL or more than 65536 characters: this is no configuration"]),
        ("#" * 70_000, ["holds a NUL or more than 65536 characters: this is no configuration"]),
        (
            GOOD + f"workers 4\n{SECRET}\n= x\n",
            [f"line {n}: is neither [section] nor KEY = VALUE nor a comment" for n in (4, 5, 6)],
        ),
        (
            GOOD + "workers = 1\nWorkers = 2\n",
            ["[tracker] workers: stands a second time in line 5; keep one"],
        ),
        (
            GOOD + "trusted_networks = ::1\ntrusted_networks = ::2\n    ::3\n",
            ["[tracker] trusted_networks: stands a second time in line 5; keep one"],
        ),
        (
            GOOD + "[tracker]\nworkers = 1\n",
            ["[tracker]: begins a second time in line 4; keep one"],
        ),
        (
            GOOD + "[other]\nx = 1\n[DEFAULT]\nworkers = x\n",
            [
                f"[{name}]: unknown section; the known ones are [tracker], [publish], [web]"
                for name in ("other", "DEFAULT")
            ],
        ),
        (
            GOOD + f"[postgresql://u:{SECRET}@h/x]\n",
            ["[(no plain word)]: unknown section; the known ones are [tracker], [publish], [web]"],
        ),
        (
            GOOD + "worker = 1\n",
            [
                "[tracker] worker: unknown key; the known ones are database, socket, workers, "
                "trusted_networks, authserv_id, postmaster, metrics, log_format"
            ],
        ),
        (
            GOOD + "[publish]\nallow_private = maybe\nworkers = 1\n",
            [
                "[publish] workers: unknown key; the known ones are allow_private",
                "[publish] allow_private: 'maybe' is neither yes nor no",
            ],
        ),
        (
            GOOD + f"postgresql://u:{SECRET}@h/x?a=b\n",
            [
                "[tracker] (no plain word): unknown key; the known ones are database, socket, "
                "workers, trusted_networks, authserv_id, postmaster, metrics, log_format"
            ],
        ),
        (
            "",
            [
                f"[tracker] {key}: is missing; write for instance {key} = {value}"
                for key, value in [
                    ("database", "postgresql:///conversation_tracker"),
                    ("socket", "unix:/var/spool/postfix/conversation-tracker/milter.sock"),
                ]
            ],
        ),
    ],
)
def test_a_bad_file_is_refused_for_its_reason(tmp_path, text, expected):
    """What is no ini file, repeats itself or knows other keys is refused, line by line."""
    assert faults(tmp_path, text) == expected


def test_all_faults_are_reported_at_once(tmp_path):
    """A file with five faults gives five lines, two of them from one value."""
    found = faults(
        tmp_path,
        f"""[tracker]
database = {DATABASE}
workers = many
trusted_networks = 10.1.2.3/8 ::1 there
colour = blue
""",
    )
    assert [fault.partition(": ")[0] for fault in found] == [
        "[tracker] colour",
        "[tracker] socket",
        "[tracker] workers",
        "[tracker] trusted_networks",
        "[tracker] trusted_networks",
    ]


def test_endless_repetition_ends(tmp_path):
    """A key a thousand times over is refused without reading the file a thousand times."""
    assert len(faults(tmp_path, GOOD + "workers = 1\n" * 1000)) == 100


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.conf", "does not exist; name another file with -c or in CONVERSATION_"),
        ("", "cannot be read: Is a directory"),
        ("loop.conf", "cannot be read: Too many levels of symbolic links"),
        ("a\0b", "cannot be read: a file's name holds no NUL"),
    ],
)
def test_an_unreadable_file_is_refused(tmp_path, name, reason):
    """What cannot be opened is a configuration error like any other."""
    (tmp_path / "loop.conf").symlink_to("loop.conf")
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / name, {})
    assert str(caught.value).startswith(f"{tmp_path / name}: {reason}")


lines = st.one_of(
    st.sampled_from(
        ["[tracker]", "[other]", "; comment", "", "[", "]", "=", " x", "\ufeff", "%(a)s"]
    ),
    st.builds(
        "{}{}= {}".format,
        st.sampled_from(list(OPTIONS)),
        st.sampled_from(["", " ", "\n", "x"]),
        st.one_of(
            st.text(),
            st.from_regex(r"\A(unix|inet|):[0-9a-z/]*@?[0-9a-z.:\[\]-]*\Z"),
            st.from_regex(r"\A\[?[0-9a-f:.]*\]?/?[0-9]*\Z"),
            st.from_regex(r"\A(postgresql://[a-z:@/,?=%\[\]]*|[a-z]*=[a-z',]*)\Z"),
        ),
    ),
    st.text(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(), st.lists(lines).map(lambda each: "[tracker]\n" + "\n".join(each))))
def test_any_file_is_taken_or_refused_as_a_whole(tmp_path, text):
    """Whatever a file holds, nothing but ConfigError is raised, and each of its lines is one."""
    path = write(
        tmp_path, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    )
    beginning = rf"{re.escape(str(path))}: (\[\S.*\]|line \d+:|is|holds) ?"
    try:
        loaded = config.load(path, {})
    except ConfigError as error:
        refusal = str(error)
    else:
        assert loaded.socket.libmilter.startswith(("unix:/", "inet:", "inet6:"))
        return
    assert all(re.match(beginning, line) for line in refusal.split("\n"))


VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126))


@given(VISIBLE, VISIBLE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_error_shows_a_piece_of_the_database(tmp_path, before, after):
    """Whatever a password is made of, unencoded as it may be, no fault repeats it."""
    text = ini(database=f"postgresql://u:{before}{SECRET}{after}@h:x/x", workers="0")
    assert all(SECRET not in fault for fault in faults(tmp_path, text))


@pytest.mark.parametrize(("text", "allowed"), [("yes", True), ("No", False), ("YES ; x", True)])
def test_webhooks_may_go_inside_only_if_it_says_so(tmp_path, text, allowed):
    """A section of its own, which may lack."""
    assert read(tmp_path, GOOD).allow_private is False
    assert read(tmp_path, f"{GOOD}[publish]\nallow_private = {text}\n").allow_private is allowed


# The example


def test_the_example_sets_only_what_must_be_set():
    """The example is valid, and with all but database and socket left out says the same."""
    loaded = config.load(EXAMPLE, {})
    text = EXAMPLE.read_text()
    assert re.findall(r"^(\w+) =", text, re.MULTILINE) == ["database", "socket"]
    assert loaded.database == OPTIONS["database"].example
    assert str(loaded.socket) == OPTIONS["socket"].example


def test_the_example_describes_every_option(tmp_path):
    """Each option has a title, a paragraph, a valid example and its true default."""
    blocks = re.findall(
        r"^; (?P<title>.+)\n; -+\n(?P<paragraph>(?:; .*\n)+?)"
        r"; Example: (?P<example>.+)\n; Default: (?P<default>.+)\n;?(?P<setting>\w+ =.*)\n",
        EXAMPLE.read_text(),
        re.MULTILINE,
    )
    every = [(section, *item) for section, options in SECTIONS.items() for item in options.items()]
    assert [setting.split(" =")[0] for *_, setting in blocks] == [key for _, key, _ in every]
    for (_, paragraph, example, default, setting), (section, key, option) in zip(
        blocks, every, strict=True
    ):
        assert len(paragraph) > 100
        text = {None: "none; this option must be set.", "": "empty"}
        assert default == text.get(option.default, option.default)
        assert setting.split("=")[1].strip() == (
            option.example if option.default is None else option.default
        )
        assert example.startswith(f"{key} = ")
        if section == "tracker":
            read(tmp_path, ini(**{key: example.partition(" = ")[2]}))
        else:
            read(tmp_path, f"{GOOD}[{section}]\n{example}\n")


def test_what_an_error_proposes_is_valid(tmp_path):
    """The examples that errors give would be taken."""
    text = ini(**{key: option.example for key, option in OPTIONS.items()})
    assert read(tmp_path, text).metrics == ("127.0.0.1", 9000)
