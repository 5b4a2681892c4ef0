"""A private PostgreSQL of the tests: a cluster in a temporary folder, reached by its socket and by nobody else.

``WATCHBELL_TEST_DATABASE=postgresql`` gives every test that asks for ``db`` a database of it, and leaves out the others.
What is only true of the embedded database carries the mark ``embedded``, or asks for its file.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

#: Whether every test that can has its database on PostgreSQL.
ON_POSTGRESQL = os.environ.get("WATCHBELL_TEST_DATABASE", "sqlite") == "postgresql"
#: Which databases a test with the mark ``on_both`` is for.
KINDS = ("sqlite", "postgresql")
#: Fixtures of tests that are about a database, and those of what only the embedded one has.
_DATABASES = {"database_url", "postgres_url", "cluster"}
_FILES = {"database_file", "migrated_file"}
#: Where Debian puts what is not for everybody's path.
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
USER = "watchbell"
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "timezone": "Pacific/Chatham",  # Whoever takes a time without its zone for UTC is found out.
}
#: What a test that does not claim that anything outlives a crash can do without.
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs, or None."""
    folders = [*map(str, _PROGRAMS), os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(folders))


def is_there() -> bool:
    """Return whether a cluster can be made on this machine."""
    return program("initdb") is not None and program("postgres") is not None


class Cluster:
    """One server with its own data."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._settings = {**_SETTINGS, "unix_socket_directories": str(folder), **settings}
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        # The server refuses to be root.
        self._owner = somebody_else() if os.geteuid() == 0 else None
        if self._owner:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        options = ["--no-sync", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run("initdb", *options, "-D", str(self._data))

    def start(self) -> None:
        """Start the server and return when it answers."""
        words = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [need("postgres"), "-D", str(self._data), *words],
                stdout=log, stderr=log, cwd=self.folder, **self._identity(),
            )  # fmt: skip
        wait_until(self._answers, what="the private PostgreSQL answers")

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server; ``at_once`` as a crash would, with no transaction brought to its end."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._server.wait(60)
            self._server = None

    def restart(self, *, at_once: bool = False) -> None:
        self.stop(at_once=at_once)
        self.start()

    def url(self, database: str) -> str:
        """Return the URL of a database of this cluster."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """Make a database, as a copy of another one, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.tell(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, database: str) -> None:
        self.tell(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def tell(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute statements, each by itself, and return the rows of the last one that has any."""
        import psycopg

        rows: list[tuple[object, ...]] = []
        with psycopg.connect(host=str(self.folder), user=USER, dbname=database, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else rows
        return rows

    def _answers(self) -> bool:
        import psycopg

        if self._server is not None and self._server.poll() is not None:
            raise RuntimeError((self.folder / "server.log").read_text(encoding="utf-8", errors="replace")[-2000:])
        # It may not listen yet.
        with contextlib.suppress(psycopg.OperationalError):
            return self.tell("SELECT 1") == [(1,)]
        return False

    def _run(self, name: str, *words: str) -> None:
        subprocess.run(
            [need(name), *words], check=True, capture_output=True, timeout=120, cwd=self.folder, **self._identity()
        )

    def _identity(self) -> dict[str, object]:
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}


def need(name: str) -> str:
    found = program(name)
    if found is None:
        raise RuntimeError(f"{name} is not on this machine; apt install postgresql pgbouncer")
    return found


def somebody_else() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        # There may be no such user.
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to be root, and there is nobody else to be on this machine")


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Cluster]:
    """Give a cluster that runs, and take it away again."""
    if not is_there():
        pytest.skip("no PostgreSQL found; install postgresql to run these tests")
    # Beside pytest's own folders, into which only their owner gets; a socket's path must be short besides.
    folder = Path(tempfile.mkdtemp(prefix="watchbell-pg-"))
    try:
        cluster = Cluster(folder, **settings)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop(at_once=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the tests that say so run on both kinds of database, those that are about one."""
    wanted = metafunc.definition.get_closest_marker("on_both") and not metafunc.definition.get_closest_marker(
        "embedded"
    )
    if wanted and "database_kind" in metafunc.fixturenames and not ON_POSTGRESQL:
        metafunc.parametrize("database_kind", KINDS, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of the test's own database."""
    return str(getattr(request, "param", KINDS[ON_POSTGRESQL]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the environment asks for PostgreSQL, leave out what has nothing to do with it."""
    if not ON_POSTGRESQL:
        return
    chosen = [item for item in items if _is_of_any_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _is_of_any_database(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    is_embedded = item.get_closest_marker("embedded") is not None or not names.isdisjoint(_FILES)
    return not is_embedded and not names.isdisjoint(_DATABASES)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give this worker's cluster; what is in it would not outlive a crash, which is not asked of it here."""
    with running(**_QUICK) as made:
        yield made


@pytest.fixture(scope="session")
def migrated_name(cluster: Cluster) -> str:
    """Return the name of a database with the schema of this version, and what makes it again what it was."""
    from watchbell.store import schema
    from watchbell.store.session import Database

    name = cluster.create()
    database = Database.open(cluster.url(name))
    schema.upgrade(database)
    database.close()
    cluster.tell(_REMEMBER, database=name)
    return name


@pytest.fixture
def postgres_url(cluster: Cluster, migrated_name: str) -> Iterator[str]:
    """Give the URL of a migrated database that is the test's own until it ends."""
    yield cluster.url(migrated_name)
    # To make a database anew takes a second, and this takes some milliseconds.
    cluster.tell(_LEAVE, _RESTORE, database=migrated_name)


#: Keeps a copy of what the migrations have put into the tables.
_REMEMBER = """
DO $$ DECLARE one record; has_rows boolean; BEGIN
    CREATE SCHEMA spare;
    CREATE TABLE spare.numbers AS
        SELECT sequencename::text AS name, coalesce(last_value, 1) AS number, last_value IS NOT NULL AS is_used
        FROM pg_sequences WHERE schemaname = 'public';
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I)', one.relname) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('CREATE TABLE spare.%I AS TABLE public.%I', one.relname, one.relname);
        END IF;
    END LOOP;
END $$"""
#: What a test has left open would be waited for.
_LEAVE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_RESTORE = """
DO $$ DECLARE one record; has_rows boolean; BEGIN
    -- No reference and no trigger of ours is looked at meanwhile.
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I)', one.relname) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM public.%I', one.relname);
        END IF;
        IF to_regclass(format('spare.%I', one.relname)) IS NOT NULL THEN
            EXECUTE format('INSERT INTO public.%I SELECT * FROM spare.%I', one.relname, one.relname);
        END IF;
    END LOOP;
    PERFORM setval(format('public.%I', name)::regclass, number, is_used) FROM spare.numbers;
END $$"""
