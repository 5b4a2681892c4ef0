"""Opening the database: its rules, its two kinds of transaction, its place on disk, and what is refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from tests.database import NOW, add_task, url_of
from watchbell import clock
from watchbell.errors import ConfigError, DatabaseTrouble, Unavailable
from watchbell.store import schema
from watchbell.store.base import read_moment
from watchbell.store.place import _file_system
from watchbell.store.runs import Attempt
from watchbell.store.session import ChangeWatch, Database, prepare_home
from watchbell.store.tasks import ChangeMark, Task, find_task, next_change


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)],
)
def test_every_connection_has_the_rules_of_the_ledger(database_url: str, pragma: str, value: object) -> None:
    # Not that of other tests, which waits for no disk.
    db = Database.open(database_url)

    with db.read() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    db.close()


def test_a_row_cannot_refer_to_what_does_not_exist(db: Database) -> None:
    with pytest.raises(IntegrityError), db.write() as session:
        session.add(Attempt(run_id=404, number=1, fence=1, holder="h"))


def test_a_block_that_fails_leaves_nothing_behind(db: Database) -> None:
    def write_and_fail() -> None:
        with db.write() as session:
            session.add(ChangeMark(name="x", value=1))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    with db.read() as session:
        assert session.get(ChangeMark, "x") is None


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(db: Database) -> None:
    with db.read() as reading:
        before = reading.execute(text("SELECT count(*) FROM change_mark")).scalar_one()
        with db.write() as writing:
            writing.add(ChangeMark(name="x", value=1))

        assert reading.execute(text("SELECT count(*) FROM change_mark")).scalar_one() == before
    with db.read() as reading:
        assert reading.execute(text("SELECT count(*) FROM change_mark")).scalar_one() == before + 1


def test_what_was_read_stays_readable_outside(db: Database) -> None:
    made = add_task(db)

    with db.read() as session:
        task = find_task(session, made.id)

    assert (task.name, task.cursor_at) == ("backup", NOW)


def test_a_database_that_another_program_writes_is_unavailable_and_not_broken(
    db: Database, database_file: Path
) -> None:
    impatient = Database.open(url_of(database_file), busy_timeout_seconds=0.01)
    with db.write() as session:
        next_change(session)
        with pytest.raises(Unavailable, match="locked by another program"), impatient.write() as other:
            next_change(other)

    with impatient.write() as other:
        assert next_change(other) == 2
    impatient.close()


def test_a_writer_who_does_not_wait_is_told_at_once_and_the_next_one_waits_as_ever(
    db: Database, database_file: Path
) -> None:
    other = Database.open(url_of(database_file))
    with db.write() as session:
        next_change(session)
        began = clock.monotonic()
        with pytest.raises(Unavailable, match="locked by another program"), other.write(wait=False) as second:
            next_change(second)
        assert clock.monotonic() - began < 2

    with other.write(wait=False) as session:
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() == 10_000
        assert next_change(session) == 2
    other.close()


def test_a_database_without_our_tables_says_what_to_do(tmp_path: Path) -> None:
    empty = Database.open(url_of(tmp_path / "empty.db"))

    with pytest.raises(Unavailable, match="watchbell db upgrade"), empty.read() as session:
        find_task(session, 1)
    empty.close()


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))], ids=str
)
def test_times_come_back_aware_in_utc_to_the_microsecond(db: Database, zone: timezone) -> None:
    at = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=zone)

    made = add_task(db, now=at)

    with db.read() as session:
        task = session.get(Task, made.id)
        stored = session.execute(text("SELECT created_at FROM task")).scalar_one()
    assert task.created_at == at
    assert task.created_at.tzinfo is UTC
    assert read_moment(stored) == at
    # The text sorts as the moments do.
    assert not db.is_sqlite or stored == f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="naive time"), db.write() as session:
        session.add(Task(name="x", command="x", schedule={}, zone="UTC", policies={}, created_at=datetime(2026, 1, 1)))


def test_a_watch_sees_the_commits_of_others_and_not_its_own(db: Database, database_file: Path) -> None:
    single = Database.open(url_of(database_file), single_connection=True)
    watch = ChangeWatch(single)

    first, second = watch.changed(), watch.changed()
    with single.write() as session:
        next_change(session)
    own = watch.changed()
    with db.write() as session:
        next_change(session)
    others, again = watch.changed(), watch.changed()

    assert (first, second, own, others, again) == (True, False, False, True, False)
    single.close()


@pytest.fixture
def no_umask():
    """Let the test see what modes are asked for when nothing else takes rights away."""
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("no_umask")
def test_everything_in_a_new_data_directory_is_private(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    url = url_of(home / "watchbell.db")

    prepare_home(home, url)
    database = Database.open(url)
    schema.upgrade(database)

    assert _mode(home) == 0o700
    files = {path.name: _mode(path) for path in home.iterdir()}
    assert files == {f"watchbell.db{end}": 0o600 for end in ("", "-wal", "-shm", ".made")}
    database.close()


def test_an_empty_directory_is_made_private_and_one_with_other_things_is_left_alone(tmp_path: Path) -> None:
    empty, shared = tmp_path / "empty", tmp_path / "shared"
    for home in (empty, shared):
        home.mkdir()
        home.chmod(0o755)
    (shared / "somebody's file").touch()

    for home in (empty, shared):
        prepare_home(home, url_of(home / "watchbell.db"))

    assert (_mode(empty), _mode(shared)) == (0o700, 0o755)
    assert _mode(shared / "watchbell.db") == 0o600


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    url = url_of(tmp_path / "watchbell.db")
    prepare_home(tmp_path, url)
    (tmp_path / "watchbell.db").write_bytes(b"as it was")

    prepare_home(tmp_path, url)

    assert (tmp_path / "watchbell.db").read_bytes() == b"as it was"


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"

    with pytest.raises(ConfigError, match=f"^data directory {home} cannot be made: Not a directory$"):
        prepare_home(home, url_of(home / "watchbell.db"))


def test_a_database_in_a_place_that_does_not_exist_is_told(tmp_path: Path) -> None:
    elsewhere = tmp_path / "nowhere" / "x.db"

    with pytest.raises(ConfigError, match=f"^database {elsewhere} is not writable by this user$"):
        prepare_home(tmp_path, url_of(elsewhere))


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
def test_an_empty_database_beside_outputs_of_its_runs_is_not_taken_for_a_new_one(
    tmp_path: Path, is_there: bool
) -> None:
    url = url_of(tmp_path / "watchbell.db")
    (tmp_path / "output").mkdir()
    if is_there:
        (tmp_path / "watchbell.db").touch()

    with pytest.raises(ConfigError, match="restore a backup"):
        prepare_home(tmp_path, url)

    assert (tmp_path / "watchbell.db").exists() is is_there
    # What the message offers works.
    (tmp_path / "output").rmdir()
    prepare_home(tmp_path, url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "cannot be understood"),
        ("", "cannot be understood"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("oracle7://u:hush@h/d", "names oracle7, which is no known kind"),
        ("mysql://u:hush@h/d", "a driver that is not installed: MySQLdb"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Database.open(url)

    assert "hush" not in caught.value.message


MOUNTS = r"""/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/ann ext4 rw 0 0
//nas/two\040words /mnt/two\040words cifs rw 0 0
sshfs /mnt/far fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/home", "nfs4"),
        ("/home/bob", "nfs4"),
        ("/homework", "ext4"),
        ("/home/ann/data", "ext4"),
        ("/mnt/two words/x", "cifs"),
        ("/mnt/far", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_its_nearest_mount(path: str, kind: str) -> None:
    assert _file_system(Path(path), MOUNTS) == kind
    assert _file_system(Path(path), "") == ""


def test_the_last_mount_on_a_place_counts() -> None:
    assert _file_system(Path("/home/x"), MOUNTS + "tmpfs /home tmpfs rw 0 0\n") == "tmpfs"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_database_on_a_network_file_system_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No test can mount such a thing; the kernel's list of mounts is the border at which it is faked.
    monkeypatch.setattr("watchbell.store.place._mounts", lambda: f"server:/x {tmp_path} {kind} rw 0 0\n")

    with pytest.raises(ConfigError, match=rf"network file system \({kind}\)"):
        prepare_home(tmp_path, url_of(tmp_path / "watchbell.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_network_file_system_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far, home = tmp_path / "far", tmp_path / "home"
    far.mkdir()
    home.symlink_to(far)
    monkeypatch.setattr("watchbell.store.place._mounts", lambda: f"server:/x {far} nfs rw 0 0\n")

    with pytest.raises(ConfigError, match="network file system"):
        prepare_home(home, url_of(home / "watchbell.db"))


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("loses", ["prepared", "opened"])
def test_no_empty_database_is_made_in_the_place_of_one_that_there_was(
    tmp_path: Path, is_there: bool, loses: str
) -> None:
    file, url = tmp_path / "watchbell.db", url_of(tmp_path / "watchbell.db")
    prepare_home(tmp_path, url)
    database = Database.open(url)
    schema.upgrade(database)
    database.close()
    file.unlink()
    if is_there:
        file.touch()

    if loses == "prepared":
        with pytest.raises(ConfigError, match=r"restore a backup, or remove .*watchbell\.db\.made to begin anew"):
            prepare_home(tmp_path, url)
    elif not is_there:
        other = Database.open(url)
        with pytest.raises(Unavailable, match="cannot be opened") as caught, other.read() as session:
            session.connection()
        assert caught.value.trouble is DatabaseTrouble.GONE

    assert file.exists() is is_there
    assert not is_there or file.stat().st_size == 0


def test_nothing_is_written_into_a_file_that_was_taken_away_or_exchanged(
    db: Database, database_file: Path, migrated_file: Path
) -> None:
    single = Database.open(url_of(database_file), single_connection=True)
    add_task(single, "before")
    aside = database_file.with_name("aside.db")
    database_file.rename(aside)

    for one in (db, single):
        with pytest.raises(Unavailable) as caught:
            add_task(one, "meanwhile")
        assert caught.value.trouble is DatabaseTrouble.GONE
    assert not database_file.exists()

    aside.rename(database_file)
    add_task(single, "back again")
    for end in ("", "-wal", "-shm"):
        database_file.with_name(database_file.name + end).unlink(missing_ok=True)
    shutil.copyfile(migrated_file, database_file)

    # One that keeps a plan in mind must not go on with another file; a page may.
    with pytest.raises(Unavailable) as caught:
        add_task(single, "other")
    assert caught.value.trouble is DatabaseTrouble.REPLACED
    add_task(db, "page")
    single.close()


def test_the_driver_itself_knows_upserts_and_returning() -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)
