"""Settings: what they are called, where they come from and what they may be.

Precedence: argument, environment, configuration file (``watchbell.toml`` in the data directory, or the file that
``--config`` or ``WATCHBELL_CONFIG`` names), default. This is the only module that reads the environment.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs

from watchbell import settings_file
from watchbell import settings_values as values
from watchbell.errors import ConfigError

#: What names the configuration file; the second one is an older program's.
_FILE_VARIABLES = ("WATCHBELL_CONFIG", "CC_DIRECTOR_CONFIG")
#: Variables that must never reach a command: they open the product itself.
_PRIVATE = frozenset(
    {"TASK_SCHEDULER_DASHBOARD_PASSWORD", "FLASK_SECRET_KEY", "DATABASE_CONNECTION_STRING", "WATCHBELL_PASSWORD"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, the environment variables that set it (first wins), its parser and its meaning."""

    name: str
    env: tuple[str, ...]
    parse: Callable[[str], object]
    default: Callable[[], object]
    help: str
    #: Shown in the documentation in place of a default that depends on the machine.
    default_text: str = ""


def _local_zone() -> str:
    """Return the machine's IANA zone name, or UTC where it cannot be known."""
    named = os.environ.get("TZ", "").lstrip(":")
    candidates = [named]
    try:
        candidates.append(str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2])
    except OSError:
        pass  # A machine without that link runs on UTC, which is what the end of this function answers.
    for name in candidates:
        if name:
            try:
                return values.zone(name.removeprefix("Etc/") if name == "Etc/UTC" else name)
            except ValueError:
                # Such as TZ=EST5EDT4: a rule, and no name that another machine would understand.
                continue
    return "UTC"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())


MIB = 1024 * 1024

# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting(
        "home", ("WATCHBELL_HOME",), values.directory, lambda: Path(platformdirs.user_data_dir("watchbell")).absolute(),
        "Directory of the database, run folders, log, PID file and key.", "the platform's user data directory",
    ),
    Setting("database_url", ("WATCHBELL_DATABASE_URL", "CC_DIRECTOR_DB"), values.database, lambda: "",
            "SQLAlchemy URL of the database, or the path of an SQLite file.", "SQLite in the home directory"),
    Setting("host", ("WATCHBELL_HOST", "CC_DIRECTOR_GATEWAY_HOST", "DASHBOARD_HOST"), values.text, lambda: "127.0.0.1",
            "Address the web server binds to."),
    Setting("port", ("WATCHBELL_PORT", "CC_DIRECTOR_GATEWAY_PORT", "DASHBOARD_PORT"), values.whole(0, 65535), lambda: 5000,
            "Port the web server listens on."),
    Setting("auth", ("WATCHBELL_AUTH",), values.switch, lambda: "on", "Login; off is refused beyond loopback."),
    Setting("password", ("WATCHBELL_PASSWORD", "TASK_SCHEDULER_DASHBOARD_PASSWORD"), values.text, lambda: "",
            "Password of the first account; empty means a single-use link.", "none"),
    Setting("secret_key", ("WATCHBELL_SECRET_KEY", "FLASK_SECRET_KEY"), values.text, lambda: "",
            "Key that signs cookies, at least 32 characters.", "made once in the home directory"),
    Setting("encryption_key", ("WATCHBELL_ENCRYPTION_KEY",), values.keys, lambda: "",
            "Key that seals secrets, 64 hexadecimal digits; older ones behind it, comma separated.", "the key file's"),
    Setting("encryption_key_file", ("WATCHBELL_ENCRYPTION_KEY_FILE",), values.file, lambda: "", "File of that key, if it is not given itself.", "encryption.key in the home directory"),
    Setting("allowed_hosts", ("WATCHBELL_ALLOWED_HOSTS",), values.names, lambda: (), "Further host names that requests may carry, comma separated.", "none"),
    Setting("behind_proxy", ("WATCHBELL_BEHIND_PROXY",), values.switch, lambda: "off", "A trusted proxy terminates TLS; needed to bind beyond loopback."),
    Setting("proxy_from", ("WATCHBELL_PROXY_FROM",), values.networks, lambda: (), "Addresses or networks of that proxy, comma separated; `X-Forwarded-*` of others is disregarded.", "this machine"),
    Setting("second_factor_from", ("WATCHBELL_SECOND_FACTOR_FROM",),
            values.one_of("never", "viewer", "operator", "editor", "admin"), lambda: "never",
            "Least role that must have a second factor to log in with a password: viewer, operator, editor, admin or never."),
    Setting("session_idle_minutes", ("WATCHBELL_SESSION_IDLE_MINUTES",), values.whole(5, 525_600), lambda: 10_080, "Minutes after which a session ends that nobody uses.", "7 days"),
    Setting("session_hours", ("WATCHBELL_SESSION_HOURS",), values.whole(1, 8760), lambda: 720, "Hours after which a session ends in any case.", "30 days"),
    Setting("own_tasks_only", ("WATCHBELL_OWN_TASKS_ONLY",), values.one_of("never", "edit", "run"), lambda: "never", "What is kept for the owner and the team of a task, and for administrators: edit, run (which is both) or never."),
    Setting("task_quota", ("WATCHBELL_TASK_QUOTA",), values.whole(0, 1_000_000), lambda: 0, "Tasks that an account may own, administrators apart; 0 for any number."),
    Setting("start_quota", ("WATCHBELL_START_QUOTA",), values.whole(0, 100_000), lambda: 0, "Runs that an account may start by hand within a minute, administrators apart; 0 for any number."),
    Setting("run_as", ("WATCHBELL_RUN_AS",), values.users, lambda: (), "Users as whom a scheduler of root runs tasks, comma separated, the first for tasks that name none.", "its own user alone"),
    Setting("login_header", ("WATCHBELL_LOGIN_HEADER",), values.header, lambda: "",
            "Header in which a proxy names whoever it has logged in, such as X-Remote-User.", "none"),
    Setting("login_header_from", ("WATCHBELL_LOGIN_HEADER_FROM",), values.networks, lambda: (),
            "Addresses or networks of the proxies that are believed so, comma separated.", "none"),
    Setting("login_header_role", ("WATCHBELL_LOGIN_HEADER_ROLE",),
            values.one_of("none", "viewer", "operator", "editor", "admin"), lambda: "none",
            "Role of an account that is made for somebody so named who has none; none: the account must exist."),
    Setting("oidc_issuer", ("WATCHBELL_OIDC_ISSUER",), values.issuer, lambda: "",
            "Provider of logins by OpenID Connect, by its issuer address, which it must call itself exactly.", "none"),
    Setting("oidc_client_id", ("WATCHBELL_OIDC_CLIENT_ID",), values.text, lambda: "", "Client id of this server there.", "none"),
    Setting("oidc_client_secret", ("WATCHBELL_OIDC_CLIENT_SECRET",), values.text, lambda: "", "Client secret, if it has one.", "none"),
    Setting("oidc_name", ("WATCHBELL_OIDC_NAME",), values.text, lambda: "single sign-on", "What its button is called by."),
    Setting("oidc_scopes", ("WATCHBELL_OIDC_SCOPES",), values.text, lambda: "openid profile email",
            "Scopes that are asked for there; openid must be one of them."),
    Setting("oidc_match", ("WATCHBELL_OIDC_MATCH",), values.one_of("none", "email"), lambda: "none",
            "Link the account whose name is exactly the e-mail address that the provider has verified: email, or none."),
    Setting("oidc_role", ("WATCHBELL_OIDC_ROLE",), values.one_of("none", "viewer", "operator", "editor", "admin"),
            lambda: "none", "Role of an account that is made for whoever comes from there and has none; none: none is made."),
    Setting("tries_store", ("WATCHBELL_TRIES_STORE",), values.tries_store, lambda: "file",
            "Where tries to log in are counted: file, for all web processes of a machine; redis://..., for those of several; memory, by each alone."),
    Setting("streams", ("WATCHBELL_STREAMS",), values.whole(0, 20_000), lambda: 2000, "Most sockets of a web process; 0: none."),
    Setting("user", ("WATCHBELL_USER",), values.text, _user, "Name the scheduler goes by.", "the operating system's user"),
    Setting("broker", ("WATCHBELL_BROKER",), values.broker, lambda: "", "Address of the broker that tells workers of the engine of runs: `amqp://...` for RabbitMQ, or `redis://...`.", "none"),
    Setting("hostname", ("WATCHBELL_HOSTNAME",), values.text, socket.gethostname, "Name of this machine.", "its host name"),
    Setting("zone", ("WATCHBELL_ZONE",), values.zone, _local_zone, "Time zone of new tasks and of the page.", "the server's zone"),
    Setting("environment", ("WATCHBELL_ENVIRONMENT",), values.one_of("production", "development"), lambda: "production",
            "What heartbeats say: production or development."),
    Setting("log_dir", ("WATCHBELL_LOG_DIR", "CC_DIRECTOR_LOG_DIR"), values.folder, lambda: "", "Directory of the scheduler's log.", "the home directory"),
    Setting("log_level", ("WATCHBELL_LOG_LEVEL", "CC_DIRECTOR_LOG_LEVEL"), values.one_of("debug", "info", "warning", "error"), lambda: "info",
            "Least level that is logged."),
    Setting("max_running", ("WATCHBELL_MAX_RUNNING",), values.whole(1, 10_000), lambda: 64,
            "How many commands may run at the same time."),
    Setting("output_limit_mib", ("WATCHBELL_OUTPUT_LIMIT_MIB",), values.whole(1, 10_240), lambda: 20,
            "Output kept per stream of a run: half at the head, half at the tail, in MiB."),
    Setting("runtime_dir", ("WATCHBELL_RUNTIME_DIR",), values.text, lambda: "",
            "Directory on tmpfs for the folders of active runs.", "/dev/shm or XDG_RUNTIME_DIR where one is tmpfs"),
    Setting("runtime_limit_mib", ("WATCHBELL_RUNTIME_LIMIT_MIB",), values.whole(0, 1_048_576), lambda: 512,
            "Output of active runs that may lie on tmpfs, in MiB; beyond it the disk is used."),
    Setting("retention_days", ("WATCHBELL_RETENTION_DAYS",), values.whole(0, 36_500), lambda: 90,
            "Days that ended runs and their output are kept; 0 for ever. A task may say otherwise."),
    Setting("retention_runs", ("WATCHBELL_RETENTION_RUNS",), values.whole(0, 100_000_000), lambda: 10_000,
            "How many runs of each task are kept at the most; 0 for any number. A task may say otherwise."),
    Setting("retention_output_mib", ("WATCHBELL_RETENTION_OUTPUT_MIB",), values.whole(0, 1_073_741_824), lambda: 10_240,
            "Room for all kept output files, in MiB; beyond it the oldest go first. 0 for no bound."),
    Setting("retention_execution_days", ("WATCHBELL_RETENTION_EXECUTION_DAYS",), values.whole(0, 36_500), lambda: 90,
            "Days that ended orders to devices and their jobs are kept; 0 for ever."),
    Setting("retention_executions", ("WATCHBELL_RETENTION_EXECUTIONS",), values.whole(0, 100_000_000), lambda: 10_000,
            "How many orders to devices are kept at the most; 0 for any number."),
    Setting("retention_device_jobs", ("WATCHBELL_RETENTION_DEVICE_JOBS",), values.whole(0, 1_000_000_000),
            lambda: 1_000_000, "How many jobs of devices all kept orders may have together; 0 for any number."),
    Setting("url", ("WATCHBELL_URL",), values.text, lambda: "",
            "Server that commands ask instead of this machine's database.", "none"),
    Setting("token", ("WATCHBELL_TOKEN",), values.text, lambda: "", "API token with which they ask it.", "none"),
    Setting("python", ("WATCHBELL_PYTHON",), values.text, lambda: sys.executable,
            "Interpreter that runs scripts of the task scheduler dashboard.", "the server's own"),
    Setting("cron_task", ("WATCHBELL_CRON_TASK",), values.text, lambda: "pipeline", "Task that `/api/cron` is about."),
    Setting("cron_scripts", ("WATCHBELL_CRON_SCRIPTS",), values.text, lambda: "",
            "Scripts that this task runs one after the other, comma separated, if it is made by its first start.", "none"),
    Setting("cron_folder", ("WATCHBELL_CRON_FOLDER",), values.text, lambda: "", "Directory of these scripts.", "none"),
    Setting("gateway_enabled", ("WATCHBELL_GATEWAY_ENABLED", "CC_DIRECTOR_GATEWAY_ENABLED"), values.switch, lambda: "off", "Whether `watchbell service run` serves the page, too."),
    Setting("check_interval", ("WATCHBELL_CHECK_INTERVAL", "CC_DIRECTOR_CHECK_INTERVAL"), values.whole(1, 86_400),
            lambda: 60, "Taken and told for older clients only: tasks start at their moment, not at the next look."),
    Setting("shutdown_timeout", ("WATCHBELL_SHUTDOWN_TIMEOUT", "CC_DIRECTOR_SHUTDOWN_TIMEOUT"), values.whole(0, 86_400),
            lambda: 30, "Taken and told for older clients only: a stop ends no command, and so waits for none."),
    Setting("sample_task", ("WATCHBELL_SAMPLE_TASK",), values.switch, lambda: "on",
            "Make a sample task when the database is new."),
)
# fmt: on
_BY_NAME = {setting.name: setting for setting in SETTINGS}
#: Settings that no message may show, and for which a file that everybody can read is refused.
SECRETS = frozenset({"password", "secret_key", "encryption_key", "oidc_client_secret"})
#: And those of which no message may repeat what was written, since a password may be a part of it.
UNREPEATED = SECRETS | {"tries_store", "broker"}


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """The settings of one process; see SETTINGS for what each means."""

    home: Path
    database_url: str = dataclasses.field(repr=False)
    host: str
    port: int
    auth: str
    password: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    encryption_key: str = dataclasses.field(repr=False)
    encryption_key_file: str
    allowed_hosts: tuple[str, ...]
    behind_proxy: str
    proxy_from: tuple[str, ...]
    second_factor_from: str
    session_idle_minutes: int
    session_hours: int
    own_tasks_only: str
    task_quota: int
    start_quota: int
    run_as: tuple[str, ...]
    login_header: str
    login_header_from: tuple[str, ...]
    login_header_role: str
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = dataclasses.field(repr=False)
    oidc_name: str
    oidc_scopes: str
    oidc_match: str
    oidc_role: str
    tries_store: str = dataclasses.field(repr=False)
    streams: int
    user: str
    broker: str = dataclasses.field(repr=False)
    hostname: str
    zone: str
    environment: str
    log_dir: str
    log_level: str
    max_running: int
    output_limit_mib: int
    runtime_dir: str
    runtime_limit_mib: int
    retention_days: int
    retention_runs: int
    retention_output_mib: int
    retention_execution_days: int
    retention_executions: int
    retention_device_jobs: int
    url: str
    token: str = dataclasses.field(repr=False)
    python: str
    cron_task: str
    cron_scripts: str
    cron_folder: str
    gateway_enabled: str
    check_interval: int
    shutdown_timeout: int
    sample_task: str
    #: The configuration file that counts, be it there or not.
    file: Path
    #: Where each setting comes from, "" for its default.
    sources: Mapping[str, str] = dataclasses.field(repr=False)
    #: The environment that commands inherit.
    child_environment: Mapping[str, str] = dataclasses.field(repr=False)

    @classmethod
    def load(cls, overrides: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Config:
        """Return the settings in force.

        ``overrides`` are arguments, among them ``config``, which names the file. What is None or empty counts as not given,
        in every source. Raises ConfigError with the name of the variable or file and key that is wrong.
        """
        environ = os.environ if environ is None else environ
        arguments = dict(overrides or {})
        named = arguments.pop("config", None)
        given = _known(arguments, "there is no setting")
        values: dict[str, object] = {"home": _pick(_BY_NAME["home"], given, environ, {})[0]}
        path, named_by = _find_file(named, Path(str(values["home"])), environ)
        file = _read_file(path, named_by)
        sources: dict[str, str] = {}
        for setting in SETTINGS:
            values[setting.name], sources[setting.name] = _pick(setting, given, environ, file)
        if not values["database_url"]:
            values["database_url"] = f"sqlite:///{values['home']}/watchbell.db"
        child = _child_environment(environ, str(values["database_url"]))
        return cls(**values, file=path, sources=sources, child_environment=child)  # type: ignore[arg-type]

    @property
    def owns_database(self) -> bool:
        """Return whether the database is the data directory's own file, which no other directory can share."""
        return self.database_url == f"sqlite:///{self.home}/watchbell.db"

    @property
    def uses_login(self) -> bool:
        """Return whether pages ask for an account."""
        return self.auth == "on"

    @property
    def log_path(self) -> Path:
        """Return the scheduler's log file."""
        return Path(self.log_dir or self.home) / "scheduler.log"

    @property
    def pid_path(self) -> Path:
        """Return the scheduler's PID file, which is information; the lock beside it decides."""
        return self.home / "scheduler.pid"

    @property
    def lock_path(self) -> Path:
        """Return the file whose lock the running scheduler holds."""
        return self.home / "scheduler.lock"

    @property
    def encryption_key_path(self) -> Path:
        """Return the file of the key that seals secrets."""
        return Path(self.encryption_key_file or self.home / "encryption.key")

    @property
    def output_path(self) -> Path:
        """Return the folder of kept outputs."""
        return self.home / "output"

    def process_environment(self) -> dict[str, str]:
        """Return the environment that makes a child process of ours load these same settings."""
        ours = {
            setting.env[0]: values.as_text(getattr(self, setting.name))
            for setting in SETTINGS
            if setting.name not in SECRETS
        }
        # The file is named as well, for what is not passed on; one that nobody has named is found by itself.
        if self.file != self.home / "watchbell.toml":
            ours[_FILE_VARIABLES[0]] = str(self.file)
        return {**os.environ, **ours}


#: What a configuration file says, by the name of the setting: where it stands and its value.
_File = Mapping[str, tuple[str, object]]


def _pick(setting: Setting, given: Mapping[str, object], environ: Mapping[str, str], file: _File) -> tuple[object, str]:
    """Return a setting's value from the first source that has it, and that source; "" for the default."""
    for source, value in _sources(setting, given, environ, file):
        try:
            if setting.parse in values.PARSERS_OF_TEXT and not isinstance(value, str | Path):
                raise ValueError("must be a text, in quotes")
            return setting.parse(values.as_text(value)), source
        except ValueError as error:
            shown = "" if setting.name in UNREPEATED else f" is {str(value)[:80]!r}:"
            raise ConfigError(f"{source}{shown} {error}") from None
    return setting.default(), ""


def _sources(
    setting: Setting, given: Mapping[str, object], environ: Mapping[str, str], file: _File
) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    if setting.name in given:
        found.append((f"argument {setting.name}", given[setting.name]))
    found.extend((name, environ[name]) for name in setting.env if environ.get(name))
    if setting.name in file:
        found.append(file[setting.name])
    return found


def _known(data: Mapping[str, object], complaint: str) -> dict[str, object]:
    """Return the entries that are filled; raise ConfigError for the first that is not a setting."""
    unknown = sorted(set(data) - set(_BY_NAME))
    if unknown:
        raise ConfigError(f"{complaint}: {unknown[0][:80]!r}")
    return {name: value for name, value in data.items() if value is not None and value != ""}


def _find_file(argument: object, home: Path, environ: Mapping[str, str]) -> tuple[Path, str]:
    """Return which configuration file counts and who named it; nobody names the one in the data directory."""
    if argument:
        return Path(str(argument)).expanduser().absolute(), "--config"
    for name in _FILE_VARIABLES:
        if environ.get(name):
            return Path(environ[name]).absolute(), name
    return home / "watchbell.toml", ""


def _read_file(path: Path, named_by: str) -> _File:
    found = settings_file.read(path, named_by=named_by)
    settings = _known(found.values, f"configuration file {path} has an unknown key")
    for name in sorted(SECRETS & set(settings)):
        if found.mode & stat.S_IROTH:
            raise ConfigError(
                f"configuration file {path} holds a {name} and everybody can read it; run: chmod 600 {path}"
            )
    return {
        name: (f"configuration file {path}, key {found.spelled.get(name, name)}", value)
        for name, value in settings.items()
    }


def goes_to_journal(descriptor: int) -> bool:
    """Return whether what is written there goes into the journal of systemd, which says so itself."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


def _child_environment(environ: Mapping[str, str], database_url: str) -> Mapping[str, str]:
    """Return what commands inherit: all but our own settings, which may hold secrets."""
    # By this one we log in to our own database, if that is a server's.
    ours = {*_PRIVATE, "SERVER_SOFTWARE", *(["PGPASSWORD"] if database_url.startswith("postgres") else [])}
    kept = {
        name: value
        for name, value in environ.items()
        # The web server calls itself SERVER_SOFTWARE, by which scripts would take themselves for CGI programs.
        if name not in ours and not name.startswith(("WATCHBELL_", "GUNICORN_"))
    }
    kept.setdefault("PATH", os.defpath)
    return kept
