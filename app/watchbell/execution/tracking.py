"""One watched run: its state between start and result, and how it is brought to an end. No loop and no waiting here."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
from collections.abc import Hashable
from enum import IntEnum

from watchbell import clock
from watchbell.execution import cgroups, proc, throttle
from watchbell.execution.bundle import Bundle
from watchbell.execution.command import Command, Limits
from watchbell.execution.identity import Process
from watchbell.execution.keeping import HasEnded, HasStarted, Request
from watchbell.execution.limits import explain, remark
from watchbell.execution.order import Order
from watchbell.execution.outcome import SamplePoint
from watchbell.execution.process import current_boot_id, open_process
from watchbell.execution.record import read_record
from watchbell.execution.result import Ending, Why
from watchbell.execution.sampling import LEAST_SECONDS, Series, together
from watchbell.execution.throttle import Stream
from watchbell.execution.tree import Member, find_members, signal_group, signal_member

#: How often a tree that is being ended is looked at.
LOOK_SECONDS = 0.05
#: How often one that not even KILL has ended so far.
HELD_SECONDS = 1.0
#: After this time of KILL what still stands (uninterruptible in the kernel) is reported and let go.
GIVE_UP_SECONDS = 10.0


class Phase(IntEnum):
    """How far a run has come."""

    RUNNING = 0
    #: TERM was sent to the tree.
    TERM = 1
    #: KILL is being sent until the command has ended.
    KILL = 2
    #: The command has ended; what it left behind was sent TERM.
    SWEEP = 3
    #: What it left behind is being sent KILL.
    SWEEP_KILL = 4
    DONE = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """What is known about a run that goes on."""

    elapsed: float
    series: tuple[SamplePoint, ...]
    stdout_bytes: int
    stderr_bytes: int
    #: It was told to end and has not ended yet.
    is_ending: bool


@dataclasses.dataclass(eq=False, slots=True)
class Output:
    """One output stream and when to look at it next."""

    stream: Stream
    looked: float
    next_look: float


@dataclasses.dataclass(eq=False, slots=True)
class Run:
    """What the watcher knows about one run."""

    key: Hashable
    bundle: Bundle
    limits: Limits
    #: None while it is not known yet that it runs, and when it had ended before the run was adopted.
    process: Process | None
    #: Opened when it is needed; of an adopted run it tells the end.
    pidfd: int | None
    #: Our own keeper tells its end; of another run the end is seen by the pidfd.
    is_kept: bool
    #: On the monotonic clock; lies before this process's own start for an adopted run.
    started: float
    outputs: tuple[Output, Output]
    order: Order
    series: Series
    next_sample: float
    deadline: float
    phase: Phase = Phase.RUNNING
    phase_since: float = 0.0
    ending: Ending = dataclasses.field(default_factory=Ending)
    times_ahead: int = 0
    #: Processes that were seen to belong to the run, by (pid, start).
    left: set[tuple[int, int]] = dataclasses.field(default_factory=set)
    next_step: float = math.inf
    #: When the tree was last sent a signal; what lived before that says nothing about what still does.
    signalled: float = 0.0
    #: Set while handling it has failed and is to be tried again.
    retry_at: float = 0.0
    #: How often its keeper's word has been waited for.
    waits: int = 0
    #: Whether its command may have left processes, from the keeper: none, some, or unknown.
    left_hint: str = "unknown"
    #: The keeper that will write its record, by number and start time.
    keeper: tuple[int, int] = (0, 0)
    #: Its number in what is said to our own keeper.
    number: int = 0
    #: What is needed to say why it could not be started, or to start it on disk instead.
    request: Request | None = None
    command: Command | None = None
    #: When its process was started, in nanoseconds since the epoch.
    at_ns: int = 0
    #: Looked up when it is needed: the group is made later than this.
    found_group: cgroups.Group | None = None
    #: It may make no more processes, because it is being killed.
    is_hindered: bool = False
    #: The entry of the timer heap that counts; older ones are stale.
    timer: float = math.inf

    def next_due(self) -> float:
        """Return when there is something to do for this run if nothing happens."""
        if self.phase >= Phase.SWEEP:
            return self.next_step
        looks = min(self.outputs[0].next_look, self.outputs[1].next_look)
        return min(looks, self.next_sample, self.deadline, self.next_step)

    @property
    def session(self) -> int | None:
        """Return the number of the run's session."""
        return self.process.pid if self.process is not None else None

    def elapsed_ms(self) -> int:
        """Return for how long it has been going on."""
        return max(int((clock.monotonic() - self.started) * 1000), 0)

    def note_write(self, output: Output, now: float) -> None:
        """Note that a stream which stood still is written to; it is looked at now."""
        if all(one.next_look == math.inf for one in self.outputs):
            self.order.woken(self.elapsed_ms())
        output.next_look = output.looked = now

    def note_start(self, told: HasStarted) -> None:
        """Note that its process is there, as its keeper tells."""
        self.process = Process(told.pid, told.start_ticks, current_boot_id())
        self.at_ns = told.at_ns
        # A keeper that was held up starts late, and what may take its time only takes it from then on.
        elapsed = max(clock.boot_time() - told.start_ticks / proc.TICKS, 0.0)
        late = clock.monotonic() - elapsed - self.started
        if late > 0:
            self.started += late
            self.deadline += late
        if self.phase in (Phase.TERM, Phase.KILL):
            # It had not come into being when it was told to end.
            _signal_tree(self, signal.SIGTERM)

    def note_end(self, told: HasEnded) -> None:
        """Note how its command has ended, as its keeper tells."""
        self.ending.record, self.ending.starter_rss_kib = told.record, told.keeper_rss_kib
        self.at_ns = self.at_ns or told.record.at_ns
        self.left_hint = told.left
        if self.process is None and told.left != "none":
            # It ended before anybody asked for its start time; with it its number is free to be anybody's.
            self.process = Process(told.record.pid or 0, 0, current_boot_id())

    def close(self) -> None:
        """Give the handle of its process back."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def live(self, now: float) -> Live:
        """Return what is known about it while it goes on."""
        out, err = (output.stream.size for output in self.outputs)
        return Live(now - self.started, tuple(self.series.points), out, err, self.phase is not Phase.RUNNING)

    def members(self, since: float) -> list[Member]:
        """Return the run's processes as they were at ``since`` or later."""
        leader = (self.process.pid, self.process.start_ticks) if self.process is not None else None
        found = find_members(leader, self.bundle.token, since)
        if self.group is not None:
            known = {member.pid for member in found}
            found += [member for member in self.group.members() if member.pid not in known]
        return [member for member in found if not member.zombie]

    @property
    def group(self) -> cgroups.Group | None:
        """Return its control group, if it has limits that got it one."""
        if self.found_group is None and self.limits.is_confined:
            self.found_group = cgroups.find(self.bundle.token)
        return self.found_group

    def may_leave_some(self) -> bool:
        """Return whether processes may be left when the command has ended."""
        return self.left_hint != "none" or (self.group is not None and bool(self.group.members()))

    def handle(self) -> int | None:
        """Return a pidfd of the command's own process, None when that is gone or not known."""
        if self.pidfd is None and self.process is not None and self.phase < Phase.SWEEP:
            self.pidfd = open_process(self.process)
        return self.pidfd

    def latest(self, now: float) -> float:
        """Return how old a look at all processes may be to say what became of the last signal.

        ``now`` is when this turn of the watcher began, so all runs that it is about share one look.
        """
        return max(self.signalled, now - LOOK_SECONDS / 2)

    def leftovers(self, since: float) -> list[Member]:
        """Return the processes that are there after the command has ended, and count each once."""
        members = self.members(since)
        self.left.update((member.pid, member.start_ticks) for member in members)
        return members


def track(
    key: Hashable,
    bundle: Bundle,
    limits: Limits,
    process: Process | None,
    pidfd: int | None,
    *,
    is_kept: bool,
    now: float,
    elapsed: float,
) -> Run:
    """Return a run to be watched."""
    started = now - elapsed
    half = now + throttle.LEAST_SECONDS
    out, err = (Output(Stream(path, limits.output_bytes), now, half) for path in (bundle.out, bundle.err))
    return Run(
        key=key,
        bundle=bundle,
        limits=limits,
        process=process,
        pidfd=pidfd,
        is_kept=is_kept,
        started=started,
        outputs=(out, err),
        order=Order(bundle.order),
        series=Series(started),
        next_sample=together(now + LEAST_SECONDS),
        deadline=started + limits.time_seconds if limits.time_seconds is not None else math.inf,
        phase_since=now,
    )


def begin_end(run: Run, why: Why, words: str, now: float) -> None:
    """Tell the whole tree to end, unless the command has ended already: then its own result stands."""
    record = read_record(run.bundle.status)
    if run.phase is not Phase.RUNNING or (record is not None and record.wait_status is not None):
        return
    run.ending.why, run.ending.words = why, words
    run.phase, run.phase_since = Phase.TERM, now
    run.deadline = math.inf
    # A stopped process would keep the TERM for later.
    _signal_tree(run, run.latest(now), signal.SIGTERM, signal.SIGCONT)
    run.next_step = now + run.limits.grace_seconds


def proceed(run: Run, now: float) -> None:
    """Take the next step of ending a tree whose command still lives."""
    if run.phase is Phase.TERM:
        run.phase, run.phase_since = Phase.KILL, now
    if run.phase is not Phase.KILL:
        return
    run.ending.killed = True
    # A tree that forks faster than it is counted dies at one stroke.
    _hinder_forks(run)
    _signal_tree(run, run.latest(now), signal.SIGKILL)
    # What the kernel holds, on a disk that does not answer, dies when it lets go; to look for it costs a look at all processes.
    is_held = now - run.phase_since > GIVE_UP_SECONDS
    run.next_step = now + (HELD_SECONDS if is_held else LOOK_SECONDS)


def _hinder_forks(run: Run) -> None:
    """Let a tree that is being killed make no more processes. What it is refused from now on is our doing, not its limit's."""
    if run.group is not None:
        if not run.is_hindered:
            run.ending.limit = explain(run.limits, run.group)
        run.is_hindered = True
        run.group.hinder_forks()


def begin_sweep(run: Run, now: float) -> bool:
    """End what the command has left behind; False when it left nothing.

    Whoever was told to end and had its grace is killed now; what is left behind a command that ended by itself gets a
    TERM and the grace first.
    """
    members = run.leftovers(now)
    if not members:
        return False
    told = run.ending.why is not None
    run.phase, run.phase_since = (Phase.SWEEP_KILL if told else Phase.SWEEP), now
    if told:
        _hinder_forks(run)
    for member in members:
        signal_member(member, signal.SIGKILL if told else signal.SIGTERM)
        signal_member(member, signal.SIGCONT)
    run.signalled = clock.monotonic()
    run.next_step = now + LOOK_SECONDS / 5
    return True


def proceed_sweep(run: Run, now: float) -> bool:
    """Take the next step of ending what was left behind; False when nothing is left, or what is left cannot be ended."""
    members = run.leftovers(run.latest(now))
    if members and run.phase is Phase.SWEEP and now - run.phase_since >= run.limits.grace_seconds:
        run.phase, run.phase_since = Phase.SWEEP_KILL, now
    if run.phase is Phase.SWEEP_KILL:
        if members:
            _hinder_forks(run)
        for member in members:
            signal_member(member, signal.SIGKILL)
        run.signalled = clock.monotonic()
        if members and now - run.phase_since >= GIVE_UP_SECONDS:
            run.ending.unkillable = len(members)
            return False
    run.next_step = now + LOOK_SECONDS
    return bool(members)


def steps_of(run: Run) -> list[Member]:
    """Return the processes of a run of steps outside the group of its runner: each step has a group of its own."""
    if not run.limits.has_steps:
        return []
    return [member for member in run.members(clock.monotonic()) if member.group != run.session]


def excess(run: Run) -> str:
    """Return the words for an output that is longer than it may be, or nothing while it may go on."""
    if run.limits.output_ends and any(output.stream.size > run.limits.output_bytes for output in run.outputs):
        return f"output limit of {run.limits.output_bytes / 2**20:g} MiB reached"
    if any(output.stream.stuck and output.stream.is_ahead for output in run.outputs):
        return "output limit reached on a file system that cannot drop the middle"
    return ""


def note_limits(run: Run) -> None:
    """Note at the end which limits were reached, and give the control group back."""
    if run.limits.output_ends:
        for output in run.outputs:
            output.stream.look()
        run.ending.limit = run.ending.limit or excess(run)
    if run.limits.is_confined:
        if not run.is_hindered:
            run.ending.limit = explain(run.limits, run.group) or run.ending.limit
        run.ending.remark = remark(run.limits, run.group)
    if run.group is not None:
        run.group.remove()


def resume_if_orphaned_stop(run: Run) -> None:
    """Let an adopted run go on that its former watcher had stopped and could not resume."""
    if run.process is None or run.pidfd is None:
        return
    state = proc.read_stat(run.process.pid)
    # A shell that was stopped while it made a child waits in the kernel for the child, which is stopped.
    if state is not None and state.state in {"T", "D"}:
        for member in steps_of(run):
            signal_member(member, signal.SIGCONT)
        signal_group(run.pidfd, signal.SIGCONT)


def _signal_tree(run: Run, since: float, *numbers: signal.Signals) -> None:
    """Send signals to the group at one stroke, and to those that have left it one by one."""
    pidfd = run.handle()
    strays = [member for member in run.members(since) if member.group != run.session]
    for number in numbers:
        if pidfd is not None:
            signal_group(pidfd, number)
        for member in strays:
            signal_member(member, number)
    run.signalled = clock.monotonic()
