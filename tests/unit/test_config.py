"""Settings: which source wins, and that whatever is wrong is refused in one line that says where."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from watchbell.config import SETTINGS, Config
from watchbell.errors import EXIT_CONFIG, ConfigError

KEY = "k" * 40
FULL = f"""\
# A file as a person keeps it.
host = "127.0.0.1"
port = 8080
auth = "on"
secret_key = "{KEY}"
allowed_hosts = ["bell.example", "bell.local"]
zone = "Europe/Berlin"
log_level = "warning"
max_running = 4
sample_task = false
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def _load(home: Path, environ: Mapping[str, str] | None = None, **overrides: object) -> Config:
    return Config.load(overrides, {"WATCHBELL_HOME": str(home), **(environ or {})})


def _write(home: Path, text: str | bytes) -> Path:
    path = home / "watchbell.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def _refusal(home: Path, environ: Mapping[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(home, environ, **overrides)
    assert caught.value.exit_code == EXIT_CONFIG
    assert caught.value.message.isprintable()
    return caught.value.message


def test_without_anything_said_it_listens_to_this_machine_only_and_asks_for_a_login(home: Path) -> None:
    config = _load(home)

    assert (config.host, config.port, config.uses_login, config.behind_proxy) == ("127.0.0.1", 5000, True, "off")
    assert config.database_url == f"sqlite:///{home}/watchbell.db"
    assert (config.password, config.secret_key, config.allowed_hosts) == ("", "", ())


def test_an_argument_beats_the_environment_which_beats_the_file_which_beats_the_default(home: Path) -> None:
    _write(home, "port = 1003\nmax_running = 3")
    environ = {"WATCHBELL_PORT": "1002"}

    assert _load(home, environ, port=1001).port == 1001
    assert _load(home, environ, port=None).port == 1002
    assert _load(home).port == 1003
    assert (_load(home, environ).max_running, _load(home).runtime_limit_mib) == (3, 512)


@pytest.mark.parametrize("empty", [{"WATCHBELL_HOST": ""}, {}], ids=["environment", "file"])
def test_an_empty_value_never_opens_the_server_to_the_world(home: Path, empty: dict[str, str]) -> None:
    _write(home, 'host = ""\npassword = ""')

    assert _load(home, empty).host == "127.0.0.1"
    assert _load(home, empty, host="").host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("CC_DIRECTOR_GATEWAY_HOST", "::1", "host", "::1"),
        ("DASHBOARD_HOST", "10.0.0.1", "host", "10.0.0.1"),
        ("CC_DIRECTOR_GATEWAY_PORT", "6060", "port", 6060),
        ("DASHBOARD_PORT", "6061", "port", 6061),
        ("TASK_SCHEDULER_DASHBOARD_PASSWORD", "open sesame", "password", "open sesame"),
        ("FLASK_SECRET_KEY", KEY, "secret_key", KEY),
    ],
)
def test_variables_of_the_systems_it_follows_still_work(
    home: Path, name: str, value: str, setting: str, expected: object
) -> None:
    ours = f"WATCHBELL_{setting.upper()}"

    assert getattr(_load(home, {name: value}), setting) == expected
    own = "5555" if setting == "port" else "x" * 32
    assert str(getattr(_load(home, {name: value, ours: own}), setting)) == own


def test_every_setting_has_a_variable_of_its_own_name_and_a_sentence() -> None:
    for setting in SETTINGS:
        assert setting.env[0] == f"WATCHBELL_{setting.name.upper()}"
        assert setting.help.endswith(".")


def test_a_whole_file_is_read(home: Path) -> None:
    _write(home, FULL)

    config = _load(home)

    assert (config.port, config.zone, config.log_level, config.max_running) == (8080, "Europe/Berlin", "warning", 4)
    assert (config.allowed_hosts, config.sample_task) == (("bell.example", "bell.local"), "off")


def test_a_file_may_have_a_byte_order_mark_and_foreign_line_ends(home: Path) -> None:
    for end in ("\r\n", "\r"):
        _write(home, b"\xef\xbb\xbf" + FULL.replace("\n", end).encode())

        assert _load(home).port == 8080


def test_the_file_may_be_elsewhere_but_then_it_has_to_be_there(home: Path) -> None:
    elsewhere = home / "other.toml"
    environ = {"WATCHBELL_CONFIG": str(elsewhere)}

    assert str(elsewhere) in _refusal(home, environ)
    elsewhere.write_text("port = 7")
    assert _load(home, environ).port == 7


@pytest.mark.parametrize(
    ("value", "words"),
    [("/x\\ny", "must not hold control characters"), ("~nobody-has-this-name/x", "names a user that does not exist")],
)
def test_a_data_directory_that_cannot_be_one_is_refused(home: Path, value: str, words: str) -> None:
    path = _write(home, f'home = "{value}"')

    with pytest.raises(ConfigError, match=words) as caught:
        Config.load(environ={"WATCHBELL_CONFIG": str(path)})

    assert f"{path}, key home" in caught.value.message


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ('port = "http"', "port", "must be a whole number"),
        ("port = 1.5", "port", "must be a text, a whole number or on or off"),
        ("port = true", "port", "must be a whole number"),
        ("port = 65536", "port", "must be between 0 and 65535"),
        ("port = -1", "port", "must be between 0 and 65535"),
        (f"port = {'9' * 5000}", "", "is damaged"),
        ("port = []", "port", "must be a whole number"),
        ("host = 127", "host", "must be a text"),
        ("host = ['a', 'b']", "host", "must be a text"),
        ("[host]\na = 1", "host", "must be a text"),
        ('host = "a\\u0000b"', "host", "must not hold control characters"),
        ('auth = "perhaps"', "auth", "must be on or off"),
        ("auth = []", "auth", "must be on or off"),
        ("auth = 2026-01-01", "auth", "must be a text, a whole number or on or off"),
        ("allowed_hosts = [1]", "allowed_hosts", "must be a text"),
        ('zone = "Mars/Olympus"', "zone", "is not a known time zone"),
        ('zone = "../../etc/passwd"', "zone", "is not a known time zone"),
        ('zone = "localtime"', "zone", "is not a known time zone"),
        ('zone = "Europe"', "zone", "is not a known time zone"),
        ('log_level = "loud"', "log_level", "must be one of debug, info, warning, error"),
        ("colour = 1", "'colour'", "unknown key"),
        ("Port = 1", "'Port'", "unknown key"),
        ('"a\\nb\\u001b" = 1', "'a\\nb\\x1b'", "unknown key"),
        ("port = 1\nport = 2", "", "is damaged"),
        ("port =", "", "is damaged"),
        ("a = " + "[" * 5000, "", "is damaged"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_wrong_line_in_the_file_is_told_with_file_and_key(home: Path, line: str, key: str, words: str) -> None:
    path = _write(home, line)

    message = _refusal(home)

    assert str(path) in message
    assert key in message
    assert words in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WATCHBELL_PORT", "eighty", "WATCHBELL_PORT is 'eighty': must be a whole number"),
        ("WATCHBELL_PORT", "٨٠", "WATCHBELL_PORT is '٨٠': must be a whole number"),
        ("WATCHBELL_PORT", "1_000", "WATCHBELL_PORT is '1_000': must be a whole number"),
        ("DASHBOARD_PORT", "70000", "DASHBOARD_PORT is '70000': must be between 0 and 65535"),
        ("WATCHBELL_AUTH", "of", "WATCHBELL_AUTH is 'of': must be on or off"),
        ("WATCHBELL_ZONE", "CEST", "WATCHBELL_ZONE is 'CEST': is not a known time zone"),
        ("WATCHBELL_ZONE", "\udcff", "WATCHBELL_ZONE is '\\udcff': is not a known time zone"),
        ("WATCHBELL_HOME", "/\udcff", "WATCHBELL_HOME is '/\\udcff': must not hold control characters"),
    ],
)
def test_a_wrong_variable_is_told_by_name(home: Path, name: str, value: str, words: str) -> None:
    assert _refusal(home, {name: value}) == words


def test_a_wrong_argument_is_told_by_name(home: Path) -> None:
    assert _refusal(home, port="x") == "argument port is 'x': must be a whole number"
    assert _refusal(home, prot=1) == "there is no setting: 'prot'"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfeh\0o\0", "is not UTF-8 text"),
        ('host = "ü"'.encode("latin-1"), "is not UTF-8 text"),
        (b"\0" * 100, "is damaged"),
        (b"\x7fELF", "is damaged"),
        (b"host = '127.0.0.1' port = 5", "is damaged"),
    ],
)
def test_a_damaged_file_stops_the_start(home: Path, content: bytes, words: str) -> None:
    path = _write(home, content)

    message = _refusal(home)

    assert str(path) in message
    assert words in message


def test_what_is_no_file_stops_the_start(home: Path) -> None:
    (home / "watchbell.toml").mkdir()

    assert "it is not a file" in _refusal(home)


@pytest.mark.parametrize("name", ["password", "secret_key"])
def test_a_secret_in_a_file_that_everybody_can_read_stops_the_start(home: Path, name: str) -> None:
    path = _write(home, f'{name} = "{KEY}"')
    path.chmod(0o644)

    message = _refusal(home)

    assert f"chmod 600 {path}" in message
    assert KEY not in message
    path.chmod(0o640)
    assert getattr(_load(home), name) == KEY


@pytest.mark.parametrize("name", ["WATCHBELL_PASSWORD", "WATCHBELL_SECRET_KEY"])
def test_a_wrong_secret_is_not_repeated(home: Path, name: str) -> None:
    assert _refusal(home, {name: "hush\x07"}) == f"{name} must not hold control characters"


def test_secrets_are_not_shown_where_settings_are(home: Path) -> None:
    environ = {
        "WATCHBELL_PASSWORD": "hush-1",
        "WATCHBELL_SECRET_KEY": "hush-2",
        "WATCHBELL_DATABASE_URL": "postgresql://u:hush-3@h/d",
        "WATCHBELL_SOMETHING": "hush-4",
    }

    assert "hush" not in repr(_load(home, environ))


def test_commands_do_not_inherit_what_opens_the_product(home: Path) -> None:
    secrets = {
        "WATCHBELL_PASSWORD": "hush",
        "WATCHBELL_SECRET_KEY": "hush",
        "WATCHBELL_DATABASE_URL": "postgresql://u:hush@h/d",
        "WATCHBELL_OF_THE_FUTURE": "hush",
        "TASK_SCHEDULER_DASHBOARD_PASSWORD": "hush",
        "FLASK_SECRET_KEY": "hush",
        "DATABASE_CONNECTION_STRING": "hush",
        "GUNICORN_CMD_ARGS": "hush",
    }
    usual = {"PATH": "/bin", "LANG": "C.UTF-8", "HOME": "/root", "MY_TOKEN": "theirs"}

    assert _load(home, {**secrets, **usual}).child_environment == usual


def test_commands_have_a_path_even_where_the_server_has_none(home: Path) -> None:
    assert _load(home).child_environment["PATH"]


def test_a_child_process_of_ours_loads_the_same_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(home, FULL)
    config = _load(home, {"DASHBOARD_PORT": "6061"}, max_running=9)
    monkeypatch.setenv("WATCHBELL_PORT", "1")

    child = Config.load(None, config.process_environment())

    for setting in SETTINGS:
        assert getattr(child, setting.name) == getattr(config, setting.name), setting.name


def _mutated(rng: random.Random) -> bytes:
    """Return the file as an editor, a disk or a hurried person might have left it."""
    data = bytearray(FULL.encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            del data[at : at + rng.randint(1, 12)]
        elif kind == 3:
            data[at:at] = rng.choice([b"\0", b"\xff", b"\r", b'"', b"[", b"=", b"\n\n", b"\xef\xbb\xbf", b"#"])
        elif kind == 4:
            data[at:at] = data[: rng.randint(1, 40)]
        else:
            value = rng.choice(
                [b"= -1\n", b"= {}\n", b"= nan\n", b"= [[]]\n", b"= 1979-05-27\n", b'= "\\u0000"\n', b"= 1e9\n"]
            )
            data = bytearray(re.sub(rb"=[^\n]*\n", value.replace(b"\\", b"\\\\"), bytes(data), count=1))
    return bytes(data)


@pytest.mark.parametrize("seed", range(80))
def test_a_mutated_file_is_either_understood_or_refused_in_one_line(home: Path, seed: int) -> None:
    path = _write(home, _mutated(random.Random(seed)))

    try:
        config = _load(home)
    except ConfigError as error:
        said = error.message
    else:
        said = f"{path} {config}"
        # What was not understood must not have made it less safe.
        assert config.uses_login

    assert str(path) in said
    assert "\n" not in said
    assert KEY not in said


def test_what_is_wrong_with_a_list_of_networks_is_told_in_a_line_of_bounded_length(tmp_path):
    with pytest.raises(ConfigError) as told:
        Config.load({"home": tmp_path}, {"WATCHBELL_LOGIN_HEADER_FROM": "x" * 100_000})

    assert len(str(told.value)) < 500
