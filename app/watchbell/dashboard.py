"""Web page and scheduler together, from Python as from the command line: check, prepare, serve, watch over, stop.

In the main thread gunicorn serves, whose worker may die without harm; in any other thread werkzeug does.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from werkzeug.serving import WSGIRequestHandler, make_server

from watchbell import clock, resources
from watchbell.config import Config, goes_to_journal
from watchbell.control import own_user
from watchbell.control.supervisor import Supervisor
from watchbell.domain.task_definition import Defaults
from watchbell.errors import ConfigError, WatchbellError
from watchbell.logs import configure_console, tell
from watchbell.services import accounts, first_start
from watchbell.store.session import Database, prepare_home
from watchbell.version import __version__
from watchbell.web import lasting, realtime
from watchbell.web.address import address_of, bind, listen
from watchbell.web.checks import is_loopback
from watchbell.web.factory import create_app
from watchbell.web.secret_key import secret_key

_THREADS = 32
_GRACE_SECONDS = 3
_WORKER_SECONDS = 60
_STEP_SECONDS = 1.0
_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD, signal.SIGTTIN,
            signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)  # fmt: skip


class _DefaultPort(int):
    """The port when none is given: the settings may then say another one."""


class _DefaultHost(str):
    """The address when none is given: the settings may then say another one."""

    __slots__ = ()


_PORT = _DefaultPort(5000)
_HOST = _DefaultHost("127.0.0.1")


def RunDashboard(  # noqa: N802 - the name is that of the packages whose place this one takes.
    port: int = _PORT,
    host: str = _HOST,
    db: str | None = None,
    debug: bool = False,
    scheduler: bool = True,
    block: bool = True,
) -> Dashboard:
    """Serve the page, run and watch over a scheduler, and stop both at the end; the same as ``watchbell up``.

    ``db`` is a SQLAlchemy URL or the path of an SQLite file. With ``block=False`` this returns at once; the result has
    the ``url`` and ``stop()``. A scheduler that ran before is left running. When a start is impossible, as when the port is
    taken, it raises ConfigError with ``block=False``; a program that hands itself over ends with one line on standard error
    and exit code 78, as the command does (a SystemExit whose cause is the ConfigError).
    """
    try:
        return _run(port, host, db, debug=debug, scheduler=scheduler, block=block)
    except WatchbellError as error:
        if not block:
            raise
        sys.stderr.write(f"watchbell: {error.message}\n")
        raise SystemExit(error.exit_code) from error


def _run(port: int, host: str, db: str | None, *, debug: bool, scheduler: bool, block: bool) -> Dashboard:

    if db is not None and "://" not in db:
        db = f"sqlite:///{Path(db).expanduser().absolute()}"
    config = Config.load(
        {
            "port": None if isinstance(port, _DefaultPort) else port,
            "host": None if isinstance(host, _DefaultHost) else host,
            "database_url": db,
            "log_level": "debug" if debug else None,
        }
    )
    if debug:
        configure_console(config.log_level, config.zone)
    return serve(config, scheduler=scheduler, block=block)


def serve(config: Config, *, scheduler: bool, block: bool = True) -> Dashboard:
    """Serve with these settings; without a scheduler only the page is served and none is touched."""
    with Dashboard(config, scheduler=scheduler) as dashboard:
        if block and threading.current_thread() is threading.main_thread():
            dashboard.serve_in_main_thread()
            return dashboard
        dashboard.start()
    if block:
        dashboard.wait()
    return dashboard


class Dashboard:
    """The page, and perhaps a scheduler beside it; made only if both can start."""

    def __init__(self, config: Config, *, scheduler: bool) -> None:
        resources.require_assets()
        _require_guarded(config)
        self._socket = bind(config)
        #: The settings in force, with the port that was really taken.
        self.config = dataclasses.replace(config, port=self._socket.getsockname()[1])
        self.url = address_of(self.config.host, self.config.port)
        try:
            self._entrance = _prepare(self.config, self.url)
            listen(self._socket, config)
        except BaseException:
            self._socket.close()
            raise
        self._supervisor = Supervisor(self.config, tell) if scheduler else None
        self._begun_at = clock.now() if scheduler else None
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Both servers hold the socket by a descriptor of their own.
        self._socket.close()

    def serve_in_main_thread(self) -> None:
        """Serve until a signal ends it, then stop the scheduler too."""
        try:
            self._begin_scheduler()
            how_to_stop = (
                "Ctrl-C stops both." if self._supervisor and not self._supervisor.has_found else "Ctrl-C stops it."
            )
            # The banner waits until Ctrl-C really does what it says.
            _run_gunicorn(self._make_app, self._socket.detach(), lambda: self._announce(how_to_stop), self._step)
        finally:
            self._end_scheduler()

    def start(self) -> None:
        """Serve in threads of this process and return at once."""
        app = self._make_app()
        self._begin_scheduler()
        self._server = make_server(
            self.config.host, self.config.port, app, threaded=True, request_handler=_Quiet, fd=self._socket.fileno()
        )
        # A program that ends without a word to us does not leave a scheduler that nobody watches over.
        atexit.register(self.stop)
        for name, work in (("web", self._server.serve_forever), ("supervisor", self._supervise)):
            thread = threading.Thread(target=work, name=f"watchbell-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._announce("")

    def wait(self) -> None:
        """Block until somebody calls ``stop``."""
        self._ended.wait()

    def stop(self) -> None:
        """Stop the page, and the scheduler if this has started one; a second call does nothing."""
        if self._ended.is_set() or self._server is None:
            return
        self._ended.set()
        realtime.end(self._server.app)
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._end_scheduler()
        atexit.unregister(self.stop)

    def _begin_scheduler(self) -> None:
        if self._supervisor is not None:
            self._supervisor.begin()

    def _make_app(self) -> Flask:
        return create_app(self.config, scheduler_begun_at=self._begun_at)

    def _step(self) -> None:
        if self._supervisor is not None:
            self._supervisor.step()

    def _supervise(self) -> None:
        while not self._ended.wait(_STEP_SECONDS):
            self._step()

    def _end_scheduler(self) -> None:
        if self._supervisor is not None:
            self._supervisor.end()

    def _announce(self, how_to_stop: str) -> None:
        """Tell where the page is; the address comes last, because that is what a person looks for."""
        what = "page and scheduler" if self._supervisor else "page only"
        tell(f"\n  Watchbell {__version__} · {what} · data in {self.config.home}")
        if how_to_stop:
            tell(f"  {how_to_stop}")
        if self._supervisor and own_user.runs_all_as_root(self.config):
            tell(f"  Running as root: {own_user.AS_ROOT}.")
        if self._entrance.command:
            tell(f"  Nobody has a password yet. This makes a link that logs in once: {self._entrance.command}")
        elif self._entrance.address != self.url:
            tell(f"  The link logs you in once, within {accounts.LINK_MINUTES} minutes; then choose a password.")
        tell(f"\n  Open {self._entrance.address}\n")


def _require_guarded(config: Config) -> None:
    """Raise ConfigError unless what other machines can reach asks for a login behind TLS."""
    if is_loopback(config.host):
        return
    missing = []
    if not config.uses_login:
        missing.append("switch logins on (WATCHBELL_AUTH=on)")
    if config.behind_proxy != "on":
        missing.append("put a proxy with TLS before it and say so (WATCHBELL_BEHIND_PROXY=on)")
    if not config.proxy_from:
        missing.append("name the proxy that is believed (WATCHBELL_PROXY_FROM=ADDRESS)")
    if missing:
        raise _exposed(config, " and ".join(missing))


def _exposed(config: Config, remedy: str) -> ConfigError:
    return ConfigError(
        f"{config.host} can be reached from other machines: first {remedy}, or serve this machine only (--host 127.0.0.1)"
    )


class _Entrance(NamedTuple):
    """Where people get in."""

    #: It may log its first visitor in.
    address: str
    #: What makes an address that does, where none is written because others can read what is told.
    command: str = ""


def _prepare(config: Config, url: str) -> _Entrance:
    """Make ready what the server needs and return where people get in."""
    if config.secret_key:
        # One that is too short is told before anything is made.
        secret_key(config)
    prepare_home(config.home, config.database_url)
    # The worker that needs the key could only die of a damaged one.
    secret_key(config)
    db = Database.open(config.database_url)
    try:
        now = clock.now()
        defaults = Defaults(zone=config.zone, owner=config.user, host=config.hostname)
        first = first_start.prepare(db, now=now, defaults=defaults, with_sample=config.sample_task == "on")
        has_password = bool(config.password) or any(
            account.password_hash and account.is_active for account in accounts.list_all(db)
        )
        if not is_loopback(config.host) and not has_password:
            raise _exposed(config, f"set a password (watchbell user passwd {first.username})")
        if not config.uses_login or config.password or first.password_hash:
            return _Entrance(url)
        if goes_to_journal(1):
            # Whoever may read the journal would have half an hour to be an administrator.
            return _Entrance(url, f"watchbell --home {shlex.quote(str(config.home))} user link {first.username}")
        return _Entrance(f"{url}/login/link/{accounts.make_link(db, first.username, now=now)}")
    finally:
        # Nothing may be open when the server forks.
        db.close()


class _Quiet(WSGIRequestHandler):
    """Serves without a line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


class _Application(BaseApplication):  # type: ignore[misc]
    """Our application with the settings that gunicorn serves it under."""

    def __init__(self, make_app: Callable[[], Flask], descriptor: int, ready: Callable[[], None]) -> None:
        self._make_app = make_app
        self._descriptor = descriptor
        self._ready = ready
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._descriptor}",
            "worker_class": "watchbell.web.patience.PatientWorker",
            "workers": 1,
            "threads": _THREADS,
            "timeout": _WORKER_SECONDS,
            "graceful_timeout": _GRACE_SECONDS,
            "loglevel": "warning",
            "proc_name": "watchbell",
            # Searches and filters in an address may be as long as fields allow, in any script.
            "limit_request_line": 8190,
            # Who is believed of what X-Forwarded-* says is for WATCHBELL_PROXY_FROM to decide, and for nothing before it.
            "forwarded_allow_ips": "",
            # Newer versions open a socket for orders in the home directory unless told not to.
            "control_socket_disable": True,
            "when_ready": lambda _master: self._ready(),
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        app = self._make_app()
        lasting.settle()
        return app


class _Master(Arbiter):  # type: ignore[misc]
    """Gunicorn's master, which also watches over the scheduler between looking after its worker.

    This happens in its one thread, because a process with threads must not fork.
    """

    def __init__(self, app: _Application, step: Callable[[], None]) -> None:
        self._step = step
        super().__init__(app)

    def init_signals(self) -> None:
        ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        super().init_signals()
        if ignores_hangup:
            # Started under nohup, which means what it says.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def manage_workers(self) -> None:
        # A new worker leaves through here and never comes back, so that only the master takes the step.
        super().manage_workers()
        self._step()

    def handle_hup(self) -> NoReturn:
        """End when the terminal goes away."""
        raise StopIteration

    def handle_usr2(self) -> None:
        """Do not replace this process by another one, which would not know of the scheduler."""


def _run_gunicorn(
    make_app: Callable[[], Flask], descriptor: int, ready: Callable[[], None], step: Callable[[], None]
) -> None:
    """Serve until a signal comes; raises WatchbellError if the web server cannot work."""
    master = os.getpid()
    with _handlers_kept():
        try:
            _Master(_Application(make_app, descriptor, ready), step).run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            if os.getpid() != master:
                _leave(code)
            if code:
                raise WatchbellError("the web server has ended; what it said before tells why") from None


def _leave(code: int) -> NoReturn:
    """End a worker without running what the program that started us has planned for its own end."""
    for stream in (sys.stdout, sys.stderr):
        # A closed terminal must not keep a worker alive.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Give signals back to whoever had them before."""
    before = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            # One that was not set from Python cannot be put back from here.
            if handler is not None:
                signal.signal(number, handler)
