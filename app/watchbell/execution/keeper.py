"""The keeper: one small process that starts every command, waits for it, and writes down how it ended.

It is a program of its own (``python -I -S keeper.py DESCRIPTOR``) that imports nothing of the package, so that it stays
small: what it starts is started fastest from a small address space, and whoever asked it to may be killed at any moment
without costing a command its result. It lives until its commands have ended and nobody is left to ask for more.

It is told what to start over a socket and answers there (``keeping.py`` is the other end), but what counts is in files.
For each attempt it makes a status file, exclusively: that file is the mark that forbids a second start, and no command
is started without it. Into it go, in this order,

1. the line that it was given, from which an adopter learns when, on which boot and under which limits;
2. ``pid PID NANOSECONDS``, the process, which leads a session of its own, and when it was started;
3. ``is TICKS`` for a command that does not end at once: the start time by which its process is told from a later one
   of the same number;
4. ``end`` with the wait status, what wait4 tells of its resources, and when it ended. A reader takes only a whole line.

A request may say as whom: then a child of ours, while it is nobody else's program yet, joins its control groups, takes its
limits, gives up every right of ours and goes into its directory, in this order, and only then becomes the command with
the command's own environment. Nothing of that environment is seen by anything that still has our rights.

The first write also gives the file its block, so the last one cannot fail for want of space. When the socket is at its
end, whoever asked is dead: what has not been started by then is not started any more.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import time

#: Longest message that is taken; more than any command line that the kernel would take.
LIMIT = 8 * 1024 * 1024
_MARKER = b"WATCHBELL_RUN_TOKEN="
_NULL = os.devnull
_SHELL = b"/bin/sh"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
_HIGH = 20
_PR_SET_CHILD_SUBREAPER = 36
#: While there is more to start, so many ends are told together; whoever asked can go on with those meanwhile.
_TOGETHER = 8
#: A command that lives for so long is looked at and told of; most have ended by then.
_YOUNG_SECONDS = 0.01


class NotBecome(OSError):
    """A command of somebody else could not be started; ``step`` says what was being done."""

    def __init__(self, step: bytes, number: int) -> None:
        super().__init__(number, "it could not become the command")
        self.step = step


class Running:
    """A command that has been started and not waited for."""

    __slots__ = ("at", "number", "pid", "since", "status", "token")

    def __init__(self, number: bytes, pid: int, status: int, token: bytes, at: int) -> None:
        self.number = number
        self.pid = pid
        #: The descriptor of its status file.
        self.status = status
        self.token = token
        self.at = at
        self.since = time.monotonic()


class Keeper:
    """Starts, waits, writes down, and tells."""

    def __init__(self, asker: socket.socket, wake: int, ignored: tuple[int, ...]) -> None:
        self._asker = asker
        self._wake = wake
        #: Signals that this process ignores and a command must find at their default.
        self._ignored = ignored
        self._poller = select.poll()
        self._poller.register(asker, select.POLLIN)
        self._poller.register(wake, select.POLLIN)
        self._asked = bytearray()
        self._answers: list[bytes] = []
        self._unsent = b""
        self._is_alone = False
        self._home = os.getcwd()
        self._directory = b""
        self._environment: dict[bytes, bytes] = {}
        self._running: dict[int, Running] = {}
        #: Those of which the asker has not been told yet that they run.
        self._untold: dict[int, Running] = {}
        self._orphans: dict[int, bytes] = {}
        self._children = b"/proc/self/task/%d/children" % os.getpid()

    def run(self) -> None:
        """Serve until nobody asks any more and nothing runs."""
        self._answers.append(b"keeper %d %d\n" % (os.getpid(), _start_ticks(b"self")))
        while not self._is_over():
            self._reap()
            is_busy = self._take()
            if not is_busy or len(self._answers) >= _TOGETHER or self._young_for() == 0:
                self._tell()
            # Each of these may have been the last thing to do: nothing would end a pause then.
            if not is_busy and not self._is_over():
                self._pause()

    def _is_over(self) -> bool:
        return self._is_alone and not self._running

    def _pause(self) -> None:
        """Wait for a request, for the end of a command, or until one has lived for long enough to be told of."""
        wait = self._young_for()
        for descriptor, event in self._poller.poll(None if wait is None else wait * 1000 + 1):
            if descriptor == self._wake:
                os.read(descriptor, 4096)
            elif event & select.POLLIN:
                self._hear()
            elif event & (select.POLLHUP | select.POLLERR):
                self._leave_asker()

    def _young_for(self) -> float | None:
        """Return how long it takes until a command is to be told of, None when there is none."""
        oldest = next(iter(self._untold.values()), None)
        return max(0.0, oldest.since + _YOUNG_SECONDS - time.monotonic()) if oldest is not None else None

    def _hear(self) -> None:
        try:
            data = self._asker.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._asked += data
        else:
            self._leave_asker()

    def _leave_asker(self) -> None:
        """Go on alone: start nothing more, write down what ends."""
        if not self._is_alone:
            self._is_alone = True
            self._poller.unregister(self._asker)
            self._asker.close()
            self._asked.clear()

    def _take(self) -> bool:
        """Do one of the things that were asked for; False when there is none."""
        if len(self._asked) < 4:
            return False
        length = int.from_bytes(self._asked[:4], "big")
        if length > LIMIT:
            raise ValueError("a request is longer than any can be")
        if len(self._asked) < 4 + length:
            return False
        fields = bytes(self._asked[4 : 4 + length]).split(b"\0")
        del self._asked[: 4 + length]
        if fields[0] == b"environment":
            self._environment = _pairs(fields[1:])
        elif fields[0] == b"ping":
            self._answers.append(b"pong\n")
        elif self._is_asked_for():
            self._start(fields)
        return True

    def _is_asked_for(self) -> bool:
        """Return whether the asker lives: what a dead one wanted is not started."""
        for descriptor, event in self._poller.poll(0):
            if descriptor != self._wake and event & (select.POLLHUP | select.POLLERR):
                self._leave_asker()
        return not self._is_alone

    def _start(self, fields: list[bytes]) -> None:
        """Start one command, or tell why that was not possible and nothing runs."""
        _, number, status, out, err, header, directory, program, person, count = fields[:10]
        arguments = fields[10 : 10 + int(count)]
        own = fields[10 + int(count) :]
        environment = _pairs(own) if person else self._environment | _pairs(own)
        try:
            mark = os.open(status, _FLAGS | os.O_EXCL, 0o600)
        except OSError as error:
            self._answers.append(b"failed %b mark %d\n" % (number, error.errno or 0))
            return
        if not self._is_asked_for():
            # Whoever takes over may have set and removed a mark of its own since the last look, if we were stopped.
            os.unlink(status)
            os.close(mark)
            return
        step = b"mark"
        try:
            os.write(mark, header + b"\n")
            step = b"directory"
            if directory != self._directory and not person:
                os.chdir(directory or self._home)
                self._directory = directory
            step = b"spawn"
            at = time.time_ns()
            if person:
                files = (out, err, status + b".steps")
                pid = self._spawn_as(person.split(b"\n"), program, arguments, environment, directory, files)
            else:
                pid = self._spawn(program, arguments, environment, out, err)
        except (OSError, ValueError) as error:
            # What is known not to have started leaves no mark, or an adopter would take it for lost.
            os.unlink(status)
            os.close(mark)
            if step == b"directory":
                self._directory = b"\0"
            step = error.step if isinstance(error, NotBecome) else step
            self._answers.append(b"failed %b %b %d\n" % (number, step, getattr(error, "errno", 0) or 0))
            return
        running = Running(number, pid, mark, own[-1], at)
        self._running[pid] = self._untold[pid] = running
        _write(mark, b"pid %d %d\n" % (pid, at))

    def _spawn(
        self, program: bytes, arguments: list[bytes], environment: dict[bytes, bytes], out: bytes, err: bytes
    ) -> int:
        files = (
            (os.POSIX_SPAWN_OPEN, 0, _NULL, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, out, _FLAGS, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, err, _FLAGS, 0o600),
        )
        ignored = self._ignored
        try:
            return os.posix_spawn(
                program, arguments, environment, file_actions=files, setsid=True, setsigmask=(), setsigdef=ignored
            )
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        # A script that does not name its interpreter is a shell's, as it is for a shell.
        arguments = [_SHELL, program, *arguments[1:]]
        return os.posix_spawn(
            _SHELL, arguments, environment, file_actions=files, setsid=True, setsigmask=(), setsigdef=ignored
        )

    def _spawn_as(
        self,
        person: list[bytes],
        program: bytes,
        arguments: list[bytes],
        environment: dict[bytes, bytes],
        directory: bytes,
        files: tuple[bytes, bytes, bytes],
    ) -> int:
        """Start a command as somebody else; raises OSError with the step that failed, and nothing of it runs then."""
        heard, low = os.pipe2(os.O_CLOEXEC)
        # Above every descriptor that a command is given.
        told = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        os.close(low)
        pid = os.fork()
        if pid == 0:
            step = b"become"
            try:
                os.setsid()
                for number in self._ignored:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                _become(person, files)
                step = b"directory"
                os.chdir(directory or b"/")
                step = b"spawn"
                try:
                    os.execve(program, arguments, environment)
                except OSError as error:
                    if error.errno != errno.ENOEXEC:
                        raise
                    os.execve(_SHELL, [_SHELL, program, *arguments[1:]], environment)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the command was not begun, and the keeper says so.
                os.write(told, b"%b %d" % (step, getattr(error, "errno", 0) or errno.EPERM))
            finally:
                os._exit(127)
        os.close(told)
        try:
            # Empty when it has become the command, or was killed before; the latter is the end of a run like any other.
            words = os.read(heard, 64).split()
        finally:
            os.close(heard)
        if words:
            os.waitpid(pid, 0)
            raise NotBecome(words[0], int(words[1]))
        return pid

    def _reap(self) -> None:
        """Take every command that has ended, write that down, and note it for the asker."""
        ended: list[tuple[Running, bytes]] = []
        has_others = True
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                has_others = False
                break
            if pid == 0:
                break
            running = self._running.pop(pid, None)
            if running is not None:
                self._untold.pop(pid, None)
                # Before anything else: from here on nobody but us knows, and we may be killed at any moment.
                record = _record(status, usage, time.time_ns())
                _write(running.status, b"end %b\n" % record)
                os.close(running.status)
                ended.append((running, record))
            else:
                self._orphans.pop(pid, None)
        if ended:
            tokens = self._look_for_orphans() if has_others else set()
            ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for running, record in ended:
                self._note_end(running, record, tokens, ours)

    def _note_end(self, running: Running, record: bytes, tokens: set[bytes] | None, ours: int) -> None:
        left = b"unknown" if tokens is None else b"some" if tokens & {running.token, b""} else b"none"
        if not self._is_alone:
            self._answers.append(
                b"ended %b %d %d %b %d %b\n" % (running.number, running.pid, running.at, left, ours, record)
            )

    def _look_for_orphans(self) -> set[bytes] | None:
        """Return which runs have left us processes, by the marker in their environment; empty for one without it.

        The kernel gives the children of a process that ends to us before it lets us wait for it, so one look at the list
        of our children tells all. None when this kernel keeps no such list.
        """
        children = _read(self._children, 1 << 22).split()
        if not children:
            return None
        if len(children) == len(self._running):
            # What has been started and not waited for is among them.
            return set()
        found = {int(pid) for pid in children} - self._running.keys()
        for pid in found:
            # One without a marker may not have replaced itself by its program yet.
            if not self._orphans.get(pid):
                self._orphans[pid] = _read_marker(pid)
        return {token for pid, token in self._orphans.items() if pid in found}

    def _tell(self) -> None:
        """Send what the asker does not know yet."""
        while self._young_for() == 0:
            self._introduce(self._untold.pop(next(iter(self._untold))))
        if self._is_alone:
            self._answers.clear()
            return
        self._unsent += b"".join(self._answers)
        self._answers.clear()
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._asker.send(self._unsent) :]
        except BlockingIOError:
            pass  # It is sent when the asker has read what it has.
        except OSError:
            self._leave_asker()
            return
        self._poller.modify(self._asker, select.POLLIN | (select.POLLOUT if self._unsent else 0))

    def _introduce(self, running: Running) -> None:
        """Write down, and note for the asker, who a command is that does not end at once."""
        ticks = _start_ticks(b"%d" % running.pid)
        _write(running.status, b"is %d\n" % ticks)
        self._answers.append(b"started %b %d %d %d\n" % (running.number, running.pid, ticks, running.at))


def _pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    """Return the variables that fields of the form NAME=value stand for."""
    return {name: value for name, _, value in [field.partition(b"=") for field in fields]}


def _become(person: list[bytes], files: tuple[bytes, bytes, bytes]) -> None:
    """Give up every right that we have and a command of somebody else must not have; see keeping.Person for what is said."""
    uid, gid = int(person[0]), int(person[1])
    groups = [int(group) for group in person[2].split()]
    niceness, memory, processes, notes = (int(word) for word in person[3:7])
    os.dup2(os.open(_NULL, os.O_RDONLY), 0)
    for number, path in ((1, files[0]), (2, files[1])):
        descriptor = os.open(path, _FLAGS, 0o600)
        # So that it can be opened again by a name as /dev/stderr; nobody gets to its folder.
        os.fchown(descriptor, uid, gid)
        os.dup2(descriptor, number)
    if notes:
        os.dup2(os.open(files[2], _FLAGS, 0o600), notes)
    for folder in person[7:]:
        descriptor = os.open(folder + b"/cgroup.procs", os.O_WRONLY)
        os.write(descriptor, b"0")
    if niceness:
        os.nice(niceness)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    if processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    os.setresuid(uid, uid, uid)
    if (
        os.getresuid() != (uid, uid, uid)
        or os.getresgid() != (gid, gid, gid)
        or sorted(os.getgroups()) != sorted(set(groups))
    ):
        raise PermissionError(errno.EPERM, "rights are left")


def _write(descriptor: int, data: bytes) -> None:
    """Write a line of a record. A full or broken disk costs the record, not the other commands.

    Whoever asked hears of the end anyway; an adopter that finds no record says that the end is unknown.
    """
    try:
        os.write(descriptor, data)
    except OSError:
        return  # There is nobody else to tell, and nothing to be done about it here.


def _record(status: int, usage: resource.struct_rusage, now: int) -> bytes:
    return b"%d %f %f %d %d %d %d %d %d %d %d" % (
        status,
        usage.ru_utime,
        usage.ru_stime,
        usage.ru_maxrss,
        usage.ru_minflt,
        usage.ru_majflt,
        usage.ru_inblock,
        usage.ru_oublock,
        usage.ru_nvcsw,
        usage.ru_nivcsw,
        now,
    )


def _read(path: bytes, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        data = part = os.read(descriptor, limit)
        # Of a list the kernel gives as much as fits into a page of its own; only the last part is small.
        while len(part) > 2048 and len(data) < limit:
            part = os.read(descriptor, limit)
            data += part
        return data
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _start_ticks(pid: bytes) -> int:
    """Return field 22 of /proc/PID/stat; of a child that is not waited for it is there also after its end."""
    data = _read(b"/proc/%b/stat" % pid, 1024)
    return int(data[data.rfind(b")") + 2 :].split()[19])


def _read_marker(pid: int) -> bytes:
    for entry in _read(b"/proc/%d/environ" % pid, 1 << 22).split(b"\0"):
        if entry.startswith(_MARKER):
            return entry
    return b""


def _become_subreaper() -> None:
    """Let the orphans of all commands come to us, so that none is left behind unseen."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    """Be the keeper for whoever holds the other end of the socket whose descriptor is the argument."""
    asker = socket.socket(fileno=int(sys.argv[1]))
    asker.setblocking(False)
    os.set_inheritable(asker.fileno(), False)
    _become_subreaper()
    # Only the end of its work ends it: a stop of the scheduler, of the session or of a terminal is not meant for it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    wake, ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # What is left behind by an error is too little to look for it all the time.
    gc.disable()
    ignored = tuple(number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN)
    Keeper(asker, wake, ignored).run()


if __name__ == "__main__":
    main()
