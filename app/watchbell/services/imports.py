"""A text from elsewhere as tasks: what each entry of it would become, and making those that somebody has chosen.

The text is a crontab or a document of tasks. Nothing is kept between the look and the import: the same text is read again,
and what has changed meanwhile is told instead of done.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from watchbell.domain import schedule as schedules
from watchbell.domain.crontab import Job, read_crontab
from watchbell.domain.crontab.columns import has_users
from watchbell.domain.task_definition import Defaults, TaskDefinition, build_definition
from watchbell.errors import Conflict, InputError, NotAllowed, Problem
from watchbell.services import task_files, transfer
from watchbell.services.transfer import Action, Plan, Step
from watchbell.store.session import Database

#: So many tasks are made in one transaction, during which nobody else can write.
MOST_CHOSEN = 5000
_DOCUMENT = re.compile(r"\s*[{\[]|(?:[^\S\n]*(?:#[^\n]*)?\n)*---|(?:.*\n)*?(?:watchbell|tasks)\s*:")


class Form(StrEnum):
    """What kind of text it is."""

    AUTO = "auto"
    CRONTAB = "crontab"
    SYSTEM = "system"
    """A crontab with a user before each command."""
    DOCUMENT = "document"
    """YAML or JSON, as an export writes it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to have imported, and how."""

    text: str
    form: Form = Form.AUTO
    #: The tasks are made, but do not start by themselves yet.
    disabled: bool = False
    #: Given to each in addition.
    tags: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Asking:
    """Who wants it, when, and what a new task gets where nothing is said."""

    now: datetime
    actor: str
    defaults: Defaults
    #: Whose commands the scheduler runs.
    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """What one entry would become."""

    #: Where it stands, such as "line 3".
    where: str
    name: str
    raw: str
    step: Step | None = None
    #: Why it cannot be imported; empty if it can.
    problem: str = ""
    #: The task, or the line of the same text, that does the same already.
    same_as: str = ""
    notes: tuple[str, ...] = ()
    #: Whether it ran as somebody else.
    is_foreign: bool = False
    schedule_words: str = ""
    next_at: datetime | None = None

    @property
    def key(self) -> str:
        """Return what it is chosen by."""
        return f"{self.step.kind if self.step else 'task'}:{self.name}"

    @property
    def is_possible(self) -> bool:
        """Return whether it can be chosen: it would add or change something."""
        return self.step is not None and not self.problem and self.step.action in {Action.ADD, Action.CHANGE}

    @property
    def is_suggested(self) -> bool:
        """Return whether it is chosen unless somebody says otherwise: only what takes nothing away and is not there yet."""
        adds = self.step is not None and self.step.action is Action.ADD
        return self.is_possible and adds and not self.same_as and not self.is_foreign


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a text."""

    form: Form
    offers: Sequence[Offer]
    #: What concerns no single entry.
    remarks: Sequence[str] = ()


def survey(db: Database, wish: Wish, asking: Asking) -> Survey:
    """Return what an import would do with each entry, and change nothing; raises InputError for what cannot be read."""
    if not wish.text.strip():
        raise InputError.of("text", "there is nothing to import yet", "30 2 * * * /usr/local/bin/backup")
    form = form_of(wish.text, [asking.user]) if wish.form is Form.AUTO else wish.form
    if form is Form.DOCUMENT:
        return Survey(form, _offers_of_document(db, wish, asking))
    taken = {definition.name for definition in transfer.list_definitions(db)[0]}
    read = read_crontab(wish.text, system=form is Form.SYSTEM, taken=taken)
    _refuse_too_many(len(read.jobs))
    return Survey(form, _offers_of_jobs(db, read.jobs, wish, asking), read.remarks)


def _refuse_too_many(count: int) -> None:
    # Working each of them out, and showing it, takes a millisecond.
    if count > MOST_CHOSEN:
        message = f"there are {count:,} tasks in it, and at most {MOST_CHOSEN:,} are looked at together"
        raise InputError.of("text", f"{message}; import it in parts")


def form_of(text: str, users: Collection[str] = ()) -> Form:
    """Return what kind of text it most likely is; ``users`` are names of accounts."""
    if _DOCUMENT.match(text):
        return Form.DOCUMENT
    return Form.SYSTEM if has_users(text, users) else Form.CRONTAB


def carry_out(
    db: Database,
    wish: Wish,
    chosen: Collection[str],
    asking: Asking,
    *,
    tell: Callable[[int], None] = lambda _number: None,
) -> Plan:
    """Import the chosen offers, all in one transaction, and return what was done; ``tell`` is given how many are through.

    Raises Conflict if one of them is not offered any more, and InputError if none is chosen.
    """
    if not chosen:
        raise InputError.of("pick", "nothing is chosen; tick what is to be imported")
    if len(chosen) > MOST_CHOSEN:
        raise InputError.of("pick", f"at most {MOST_CHOSEN:,} can be imported at a time")
    offers = {offer.key: offer for offer in survey(db, wish, asking).offers if offer.is_possible}
    gone = sorted(key.partition(":")[2] for key in chosen if key not in offers)
    if gone:
        raise Conflict(f"{', '.join(gone[:5])} cannot be imported any more; look at the list again")
    plan = Plan([offer.step for key, offer in offers.items() if key in chosen and offer.step is not None])
    transfer.apply(db, plan, now=asking.now, actor=asking.actor, defaults=asking.defaults, tell=tell)
    return plan


def work_of(definition: TaskDefinition) -> str:
    """Return what makes two tasks do the same at the same times."""
    schedule = definition.schedule
    steps = [step.to_json() for step in definition.steps]
    parts = (definition.command, steps, schedule.kind, schedule.expressions, schedule.every, schedule.unit)
    where = (schedule.zone, dict(definition.environment), definition.directory)
    return repr((parts, schedule.moments, schedule.every_word, schedule.at_time, where))


def _offers_of_jobs(db: Database, jobs: Sequence[Job], wish: Wish, asking: Asking) -> list[Offer]:
    offers = []
    works = _works(db)
    for job in jobs:
        where = f"line {', '.join(map(str, job.numbers))}"
        plain = Offer(where, job.name, job.raw, problem=job.problem, notes=job.notes)
        try:
            definition = _with_wishes(job.definition(now=asking.now, defaults=asking.defaults), wish, asking)
        except InputError as error:
            offers.append(dataclasses.replace(plain, problem=job.problem or error.message))
            continue
        if job.problem:
            offers.append(plain)
            continue
        is_foreign = job.user is not None and job.user != asking.user
        notes = (f"it ran as {job.user}, and would run as {asking.user}",) if is_foreign else ()
        try:
            offer = _offer(db, plain, definition, works, asking)
        except NotAllowed as error:
            offers.append(dataclasses.replace(plain, problem=error.message))
            continue
        offers.append(dataclasses.replace(offer, notes=(*notes, *offer.notes), is_foreign=is_foreign))
        works.setdefault(work_of(definition), where)
    return offers


def _offers_of_document(db: Database, wish: Wish, asking: Asking) -> list[Offer]:
    document = task_files.read(wish.text)
    _refuse_too_many(len(document.tasks))
    works = _works(db)
    offers = [Offer("", step.name, "", step) for step in transfer.plan_queues(db, document)]
    for entry in document.tasks:
        line = document.lines.get(entry.path)
        where = f"line {line}" if line else ""
        plain = Offer(where, entry.name, "")
        try:
            earlier = transfer.find_definition(db, entry.name)
            definition = document.definition(entry, now=asking.now, defaults=asking.defaults, earlier=earlier)
            offers.append(_offer(db, plain, _with_wishes(definition, wish, asking), works, asking))
        except InputError as error:
            told = "; ".join(_told(problem) for problem in error.problems)
            offers.append(dataclasses.replace(plain, problem=told))
        except NotAllowed as error:
            offers.append(dataclasses.replace(plain, problem=error.message))
    return offers + [Offer("", step.name, "", step) for step in transfer.plan_blackouts(db, document)]


def _offer(db: Database, plain: Offer, definition: TaskDefinition, works: Mapping[str, str], asking: Asking) -> Offer:
    step = transfer.plan_definition(db, definition, defaults=asking.defaults, replaces=True)
    following = schedules.next_occurrence(definition.schedule, asking.now)
    same = works.get(work_of(definition), "")
    return dataclasses.replace(
        plain,
        step=step,
        same_as=same if same != definition.name and step.action is Action.ADD else "",
        notes=(*plain.notes, *step.remarks),
        schedule_words=schedules.describe(definition.schedule),
        next_at=following.due_at if following else None,
    )


def _with_wishes(definition: TaskDefinition, wish: Wish, asking: Asking) -> TaskDefinition:
    if wish.disabled:
        definition = dataclasses.replace(definition, enabled=False)
    if not wish.tags:
        return definition
    tags = [*definition.tags, *(tag for tag in wish.tags if tag not in definition.tags)]
    return build_definition({"tags": tags}, base=definition, now=asking.now, defaults=asking.defaults)


def _works(db: Database) -> dict[str, str]:
    """Return the names of the tasks that are there by what they do."""
    return {work_of(definition): f"task {definition.name}" for definition in transfer.list_definitions(db)[0]}


def _told(problem: Problem) -> str:
    example = f" (for example: {problem.example})" if problem.example else ""
    return f"{problem.field}: {problem.message}{example}"


def lines_of(error: InputError) -> Iterator[str]:
    """Yield what is wrong with a text, one sentence for each problem."""
    for problem in error.problems:
        yield f"{'' if problem.field == 'text' else f'{problem.field}: '}{problem.message}"
