"""Crontabs as cron reads them, the tasks that do the same, and the way back."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import DEFAULTS, NOW
from tests.unit.test_transfer import definition_from, lines, plain, policies
from tests.waiting import spends_at_most
from watchbell.domain.crontab import read_crontab, write_crontab
from watchbell.domain.crontab.lines import quote_percent, split_at_percent
from watchbell.domain.crontab.naming import Names
from watchbell.errors import InputError


@pytest.mark.parametrize(
    ("text", "command", "given_to_it"),
    [
        ("date", "date", None),
        (r"date +\%F", "date +%F", None),
        ("mail ann%Dear Ann,%%Bye", "mail ann", "Dear Ann,\n\nBye\n"),
        ("mail ann%one%", "mail ann", "one\n"),
        ("mail ann%", "mail ann", None),
        (r"mail ann%5\% off", "mail ann", "5% off\n"),
        (r"echo a\\b", r"echo a\\b", None),
        (r"echo \\%in", r"echo \\", "in\n"),
        ("echo a\\", "echo a\\", None),
        ("cat%a\\nb", "cat", "a\\nb\n"),
    ],
)
def test_a_percent_sign_ends_the_command_and_is_a_line_end_behind_it(text, command, given_to_it):
    assert split_at_percent(text) == (command, given_to_it)


@given(st.text(st.characters(exclude_characters="\n\x00", exclude_categories=["Cs"]), max_size=30))
def test_a_command_that_a_crontab_can_say_is_said(command):
    quoted = quote_percent(command)

    assert (quoted is None) == ("\\%" in command)
    assert quoted is None or split_at_percent(quoted) == (command, None)


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("A=b", {"A": "b"}), ("A = b c ", {"A": "b c"}), ('A="b c "', {"A": "b c "}), ("A='b'", {"A": "b"}),
        ('"A"=b', {"A": "b"}), ("A=", {"A": ""}), ("A='it\"s'", {"A": 'it"s'}), ("  A=$HOME/x", {"A": "$HOME/x"}),
        ("A=b # c", {"A": "b # c"}), ("TZ=Asia/Tokyo", {"TZ": "Asia/Tokyo"}),
    ],
)  # fmt: skip
def test_a_setting_holds_for_the_lines_below_it(line, variables):
    before, after = read_crontab(f"@daily one\n{line}\n@daily two").jobs

    assert "environment" not in before.fields
    assert after.fields["environment"] == variables


def job_of(text, **options):
    (job,) = read_crontab(text, **options).jobs
    return job


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("CRON_TZ=Europe/Berlin\n@daily x", "zone", "Europe/Berlin"),
        ("HOME=/srv\n@daily x", "directory", "/srv"),
        ("RANDOM_DELAY=5\n@daily x", "spread_seconds", 300),
        ("SHELL=/bin/bash\n@daily x | y", "command", "/bin/bash -c 'x | y'"),
        ("SHELL=/bin/sh\n@daily x | y", "command", "x | y"),
        ("# why it is there\n# and more\n@daily x", "comment", "why it is there\nand more"),
        ("-*/5 * * * * x", "cron", ["*/5 * * * *"]),
        ("*/5\t*  * *\t* \t x  y ", "command", "x  y"),
        ("@daily x\r", "command", "x"),
    ],
)
def test_what_cron_does_becomes_what_a_task_does(text, field, value):
    assert job_of(text).fields[field] == value


@pytest.mark.parametrize(
    "above",
    ["# gone\n\n", "# m h  dom mon dow   command\n", "#0 5 * * * old\n", "# gone\nMAILTO=\n", "#@reboot old\n"],
)
def test_a_comment_that_belongs_to_something_else_is_no_comment_of_the_task(above):
    assert "comment" not in job_of(f"{above}@daily x").fields


def test_a_system_crontab_has_a_user_before_the_command():
    job = job_of("17 * * * * www-data cd / && run-parts /etc/cron.hourly", system=True)

    assert (job.user, job.fields["command"]) == ("www-data", "cd / && run-parts /etc/cron.hourly")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@reboot x", "@reboot is not a time"), ("61 * * * * x", "minute: 61"), ("0-59/0 * * * * x", "a step"),
        ("0 0 30 2 * x", "never comes"), ("CRON_TZ=Mars/Base\n@daily x", "no known time zone"),
        ("@every_minute x", "is not one of"), ("*/90 * * * * x", "a step"), ("0~59 * * * * x", "not understood"),
        (f"{','.join(['1'] * 10_000)} * * * * x", "at most"), ("${x} * * * * y", "not understood"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_says_why(text, words):
    assert words in job_of(text).problem


@pytest.mark.parametrize(
    ("text", "words"),
    [("MAILTO=ann\n", "nothing is mailed"), ("LOGNAME=x\n", "set by the system"), ("WATCHBELL_HOME=/x\n", "cannot be set"),
     ("not a line\n", "cron would refuse"), ("a-b=c\n", "cannot be set"), ("x" * 50_000, "cron would refuse"),
     ('A="b" c\n', "cron would refuse")],
)  # fmt: skip
def test_what_concerns_no_entry_is_told_with_its_line(text, words):
    (remark,) = read_crontab(text).remarks

    assert remark.startswith("line 1: ")
    assert words in remark


def test_no_mail_at_all_needs_no_word():
    assert read_crontab('MAILTO=""\n@daily x').remarks == ()


@pytest.mark.parametrize("text", ["x" * 8_000_001, "@daily a\0b"])
def test_what_cannot_be_a_crontab_is_refused(text):
    with pytest.raises(InputError):
        read_crontab(text)


def test_the_input_of_a_command_reaches_it_byte_for_byte():
    command = job_of(r"@daily cat -A; echo end%it's \%5 `x` $(y)%-n\n").fields["command"]

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)

    assert done.stdout == "it's %5 `x` $(y)$\n-n\\n$\nend\n"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/local/bin/backup.sh --full", "backup"), ("python3 /srv/jobs/sync.py", "sync"),
        ("cd /srv && make report", "make"), ("A=1 B=2 nice -n 10 /opt/x.pl", "x"),
        ("test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )", "run-parts"),
        ("flock -n /tmp/a.lock timeout 10m rsync -a /a /b", "rsync"), ("echo 'unfinished", "echo"),
        ("7", "job-7"), ("'' ", "job"), ("/bin/bash -c 'ls -l'", "ls"), ("ünïcode", "n-code"),
    ],
)  # fmt: skip
def test_a_name_comes_from_what_is_run(command, name):
    assert Names(()).derive(command) == name


def test_no_two_jobs_have_one_name():
    names = [job.name for job in read_crontab("@daily x\n@daily x\n@hourly y", taken={"y", "y-2"}).jobs]

    assert names == ["x", "x-2", "y-3"]


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("30 2 * * * echo a\n" * 5_000, 5_000),
        ("30 2 * * * echo a\n" * 20_001, None),
        ("".join(f"A{number}=b\n@daily c{number}\n" for number in range(200)), 200),
        ("".join(f"A{number}=b\n@daily c{number}\n" for number in range(201)), None),
        (f"A=x{' ' * 30_000}y{' ' * 5_000}z\n" * 200 + "@daily a", 1),
        ("#watchbell: {}\n" + "@daily a\n" * 30_000, 1),
        (f"{'# ' * 1_000_000}\n@daily a", 1),
    ],
    ids=[
        "many of one name",
        "too many",
        "many variables",
        "too many variables",
        "wide gaps",
        "many times",
        "a comment",
    ],
)
def test_no_crontab_takes_longer_than_its_length_asks_for(text, jobs):
    """What each of these cost grew with the square of its length: 8,000 lines of one name took 5 s, and 8 MB may be sent."""

    def read() -> None:
        if jobs is None:
            with pytest.raises(InputError):
                read_crontab(text)
        else:
            assert len(read_crontab(text).jobs) == jobs

    spends_at_most(5, read)


def test_a_task_with_more_times_than_one_can_have_says_so():
    (job,) = read_crontab("#watchbell: {}\n" + "@daily a\n" * 21).jobs

    assert job.problem == "more than 20 lines of it say times"


def exported(*definitions, **options):
    return write_crontab(definitions, now=NOW, defaults=DEFAULTS, **options)


def again(text, **options):
    return [job.definition(now=NOW, defaults=DEFAULTS) for job in read_crontab(text, **options).jobs]


@given(
    st.lists(
        st.tuples(
            lines.filter(str.strip), plain, policies,
            st.lists(st.sampled_from(["30 2 * * *", "@daily", "*/5 9-17 * * mon-fri", "1,2 3 4 5 *"]), min_size=1, max_size=3, unique=True),
        ),
        max_size=4,
    ),
    st.sampled_from([None, "root"]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_an_export_makes_the_same_tasks_or_says_that_it_does_not(parts, user):
    made = [
        definition_from({"command": command, **more, **rules, "cron": cron}, number)
        for number, (command, more, rules, cron) in enumerate(parts)
    ]

    written = exported(*made, user=user)

    told = {name for name, _ in written.left_out} | {name for name, words in written.differences if "import" in words}
    read = {definition.name: definition for definition in again(written.text, system=user is not None)}
    for definition in made:
        assert definition.name in told or read[definition.name] == definition


@pytest.mark.parametrize(
    "command", ["a\n* * * * * root rm -rf /", "a\r\n* * * * * b", "a\x0b* * * * * b", "a\x85b", "a\u2028b"]
)
def test_a_command_of_several_lines_never_becomes_one_of_its_own(command):
    written = exported(definition_from({"command": command.replace("\x0b", "\n"), "cron": "@daily"}, 1))

    assert written.left_out[0][0] == "task 1"
    assert again(written.text) == []


def test_names_and_comments_cannot_begin_a_line():
    definition = definition_from(
        {"command": "true", "cron": "@daily", "comment": "x\n* * * * * root evil\n\r* * * * * b"}, 1
    )

    text = exported(definition).text

    active = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert active == ["@daily true"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"every": "5m"}, "cron does not know"), ({}, "cron does not know"), ({"cron": "0 0 L * *"}, "L and #"),
        ({"cron": "0 0 * * 1#2"}, "L and #"), ({"cron": "@daily", "enabled": False}, "disabled"),
        ({"cron": "@daily", "command": r"printf '\%d' 1"}, "cannot say"),
    ],
)  # fmt: skip
def test_what_cron_cannot_run_is_left_out_with_the_reason(fields, words):
    written = exported(definition_from({"command": "true", **fields}, 1))

    assert words in written.left_out[0][1]
    assert again(written.text) == []


@pytest.mark.parametrize(
    ("cron", "portable"),
    [("0 22-2 * * *", "0 22-23,0-2 * * *"), ("0 0 * * fri-mon", "0 0 * * 5-6,0-1"), ("5/10 * * * *", "5-59/10 * * * *"),
     ("0 9 * * mon-fri", "0 9 * * mon-fri"), ("0 9 * jan,mar *", "0 9 * jan,mar *"), ("0 0 * * 7", "0 0 * * 7")],
)  # fmt: skip
def test_times_that_only_we_know_are_written_as_every_cron_takes_them(cron, portable):
    assert f"\n{portable} true\n" in exported(definition_from({"command": "true", "cron": cron}, 1)).text


def test_the_policies_that_cron_lacks_are_told():
    written = exported(definition_from({"command": "true", "cron": "@daily", "retries": 3, "zone": "Asia/Tokyo"}, 1))

    words = " ".join(text for _, text in written.differences)
    assert "retries" in words
    assert "CRON_TZ" in words
    assert again(written.text)[0].policies.retries == 3


def test_a_mark_never_speaks_against_the_line_below_it():
    definition = definition_from({"command": "one", "cron": "@daily", "directory": "/", "environment": {"A": "1"}}, 1)
    text = exported(definition).text.replace("@daily", "@hourly").replace("one", "two")
    edited = text.replace("export A=1", "export A=2")

    (changed,), (other,) = again(text), again(edited)
    assert (changed.command, changed.schedule.expressions, changed.directory) == ("two", ("@hourly",), "/")
    assert other.command == "export A=2; cd / || exit 1; two"
    assert other.environment == {}


@pytest.mark.parametrize("mark", ["{", "[]", '{"command": "evil"}', '{"cron": "@hourly"}', "1" * 5000, "[" * 100_000])
def test_a_mark_that_is_none_is_left_out(mark):
    job = job_of(f"#watchbell: {mark}\n@daily good")

    assert job.fields["command"] == "good"
    assert job.fields["cron"] == ["@daily"]
    assert "not understood" in job.notes[0]


def test_lines_of_one_mark_are_one_task_until_somebody_changes_one():
    text = exported(definition_from({"command": "x", "cron": ["@daily", "@hourly"]}, 1)).text

    assert [job.fields["cron"] for job in read_crontab(text).jobs] == [["@daily", "@hourly"]]
    assert len(read_crontab(text.replace("@hourly x", "@hourly y")).jobs) == 2


def test_what_is_written_is_what_a_shell_takes():
    definition = definition_from(
        {"command": "echo $A; pwd", "cron": "@daily", "directory": "/", "environment": {"A": "it's %"}}, 1
    )
    line = exported(definition).text.splitlines()[-1]

    command, _ = split_at_percent(line.removeprefix("@daily "))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)

    assert done.stdout == "it's %\n/\n"
    assert shlex.split(command)
