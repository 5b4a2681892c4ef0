"""Variables of job documents: a value stays in its place, whatever it says. Lines for the shell are run by a real one."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import spends_at_most
from watchbell.domain import job_document
from watchbell.domain.job_document import argv_of, fill_in, names_in
from watchbell.domain.job_document.scripts import misplaced
from watchbell.errors import InputError

HOSTILE = [
    "; echo broken",
    "$(echo broken)",
    "`echo broken`",
    "a\necho broken",
    "@/etc/passwd",
    "' ; echo broken ; '",
    '" ; echo broken ; "',
    "a, b,c",
    "&& echo broken",
    "*",
    "${HOME}",
    "{{OTHER}}",
    "a  b",
    "%s\\n",
]


def command(text: str, **more: Any) -> dict[str, Any]:
    return {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": text}}], **more}


def filled(text: str, **values: str) -> list[str]:
    return argv_of(fill_in(command(text), values)["steps"][0]["input"]["command"])


def shown(text: str, **values: str) -> str:
    argv = filled(text, **values)
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_argument_whatever_it_holds(value: str) -> None:
    assert filled("printf,%s,{{VALUE}},end", VALUE=value) == ["printf", "%s", value, "end"]
    assert filled("systemctl,restart,a{{VALUE}}b", VALUE=value) == ["systemctl", "restart", f"a{value}b"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "line",
    [
        "printf '[%s]' {{VALUE}}",
        "printf '[%s]' \"{{VALUE}}\"",
        "printf '[%s]' '{{VALUE}}'",
        "printf '[%s]' {{VALUE}} # it's a comment",
        "true # it's one\nprintf '[%s]' {{VALUE}}",
        "printf '[%s]' {{VALUE}} | cat",
        'printf "[%s]" ""{{VALUE}}\'\'',
        "printf '[%s]' {{VALUE}};",
    ],
)
def test_a_shell_reads_no_value_as_a_command(line: str, value: str) -> None:
    assert shown(line, VALUE=value) == f"[{value}]"


@pytest.mark.parametrize(
    "text",
    [
        "tar,-cf,/tmp/x.tar,{{VALUE}}",
        "tar,-cf,/tmp/x.tar,{{VALUE}}.log",
        "{{VALUE}},-h",
        'sh,-c,cat "$1",_,{{VALUE}}',
        "sudo,-u,bob,--,tar,-cf,/tmp/x.tar,{{VALUE}}",
        "env,--,ls,{{VALUE}}",
        "ls,{{VALUE}},--,/tmp",
        "tar -cf /tmp/x.tar {{VALUE}}",
        "tar -cf /tmp/x.tar '{{VALUE}}'",
        'cd /tmp; ls ""{{VALUE}}',
        "true # it's one\nls {{VALUE}}",
        "ls -- /tmp && ls {{VALUE}}",
    ],
)
def test_a_value_that_begins_an_argument_cannot_pass_for_an_option(text: str) -> None:
    """An operator who may execute a template made tar run a command by the name of a file."""
    for value in ("-rf", "--checkpoint-action=exec=sh", "-"):
        with pytest.raises(InputError, match=r"variables\.VALUE: must not begin with -, because it begins an argument"):
            filled(text, VALUE=value)
    filled(text, VALUE="a-rf")


def test_a_value_that_begins_an_argument_of_a_handler_cannot_pass_for_an_option() -> None:
    step = {"type": "runHandler", "input": {"handler": "get", "args": ["{{VALUE}}", "x"]}}
    for document in ({"steps": [step]}, {"steps": [{"action": step}]}, {"operation": "get", "args": ["{{VALUE}}"]}):
        with pytest.raises(InputError, match=r"variables\.VALUE"):
            fill_in(document, {"VALUE": "-o/etc/cron.d/x"})
        fill_in(document, {"VALUE": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "printf,%s,--,{{VALUE}}",
        "sudo,printf,%s,--,{{VALUE}}",
        "sudo -n printf %s -- '{{VALUE}}' x",
        "ls,--sort={{VALUE}}",
        "ls,-{{VALUE}}",
        "ls -la/{{VALUE}}",
        "X={{VALUE}} printenv X",
    ],
)
def test_behind_two_dashes_or_something_else_a_value_may_begin_with_a_dash(text: str) -> None:
    assert "-rf" in "".join(filled(text, VALUE="-rf"))


def test_a_document_may_give_an_option_itself_and_in_an_environment_there_is_none() -> None:
    document = command("ls,{{VALUE}}", variables={"VALUE": {"defaultValue": "-la"}})
    document["steps"][0]["environment"] = {"command": "{{OTHER}}"}

    # A page sends what it has shown.
    for value in ("", "-la"):
        assert fill_in(document, {"VALUE": value, "OTHER": "-x"})["steps"][0]["input"]["command"] == "ls,-la"
    with pytest.raises(InputError, match=r"variables\.VALUE"):
        fill_in(document, {"VALUE": "-R", "OTHER": "-x"})


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20))
def test_no_value_becomes_more_than_its_argument(value: str) -> None:
    try:
        argv = filled("printf,%s,{{VALUE}},end", VALUE=value)
    except InputError:
        # The grammar has no way to write it, or it could be an option.
        assert not value.strip() or value != value.strip() or value.endswith("\\") or value.startswith("-")
    else:
        assert argv == ["printf", "%s", value, "end"]


@given(
    st.text("ab'\"\\$`(){};|&#* \n,", min_size=1, max_size=12),
    st.text("ab'\"\\;|&#* \n,", max_size=14),
    st.text("ab'\"\\;|&#* \n,", max_size=14),
)
def test_a_line_for_the_shell_never_holds_a_value(value: str, before: str, after: str) -> None:
    marked = f"zz{value}zz"
    try:
        argv = filled(f"echo {before}{{{{VALUE}}}}{after}", VALUE=marked)
    except InputError:
        return
    # A line of which a comma makes arguments has no shell at all.
    if argv[:2] == ["sh", "-c"]:
        assert argv[4:] == [marked]
        assert "zz" not in argv[2]


@pytest.mark.parametrize(
    "line",
    ["echo `id {{VALUE}}`", "echo $(id {{VALUE}})", "cat <<X\n{{VALUE}}\nX", r"echo \{{VALUE}}", "echo $'{{VALUE}}'"],
)
def test_a_place_in_which_a_value_could_be_read_as_a_command_is_refused(line: str) -> None:
    with pytest.raises(InputError) as told:
        filled(line, VALUE="x")

    assert told.value.problems[0].field == "steps.0.input.command"


def test_a_value_that_would_make_a_line_for_the_shell_of_a_program_is_refused() -> None:
    assert filled("{{PROGRAM}},-h", PROGRAM="df") == ["df", "-h"]
    for value in ("rm -rf /tmp/x", "a\tb"):
        with pytest.raises(InputError):
            filled("{{PROGRAM}},-h", PROGRAM=value)


def test_each_text_of_a_document_is_filled_in() -> None:
    step = {
        "type": "runHandler",
        "name": "get {{URL}}",
        "input": {"handler": "{{HANDLER}}", "args": ["{{URL}}", "a{{URL}}"]},
    }
    given_document = {"version": "1.0", "steps": [step], "conditions": [{"key": "site", "value": ["{{SITE}}"]}]}

    found = fill_in(given_document, {"URL": "http://x/,y z", "HANDLER": "download-file", "SITE": "north"})

    read = job_document.read(found, is_filled=True)
    assert read.steps[0].args == ("http://x/,y z", "ahttp://x/,y z")
    assert (read.steps[0].handler, read.conditions[0].values) == ("download-file", ("north",))


def test_a_value_must_have_the_shape_of_its_place() -> None:
    step = {"type": "runCommand", "input": {"command": "id"}, "runAsUser": "{{WHO}}"}
    given_document = {"version": "1.0", "steps": [step]}
    job_document.read(given_document)

    for value in ("root -c id", "{{WHO}}", "-u"):
        with pytest.raises(InputError):
            job_document.read(fill_in(given_document, {"WHO": value}), is_filled=True)


def test_a_default_stands_in_for_what_is_not_given() -> None:
    variables = {
        "NAME": {"description": "a service", "defaultValue": "nginx"},
        "OTHER": {"description": "{{NOT_USED}}"},
    }
    given_document = command("systemctl,restart,{{NAME}}", variables=variables)

    assert names_in(given_document) == {"NAME"}
    assert fill_in(given_document, {})["steps"][0]["input"]["command"] == "systemctl,restart,nginx"
    assert fill_in(given_document, {"NAME": " "})["steps"][0]["input"]["command"] == "systemctl,restart,nginx"
    assert fill_in(given_document, {"NAME": "ssh"})["steps"][0]["input"]["command"] == "systemctl,restart,ssh"
    assert fill_in(given_document, {})["variables"] == variables


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "variables.NAME"),
        ({"NAME": "  "}, "variables.NAME"),
        ({"NAME": "x", "SURPRISE": "y"}, "variables.SURPRISE"),
        ({"NAME": "x" * 4097}, "variables.NAME"),
        ({"NAME": "a\0b"}, "variables.NAME"),
    ],
)
def test_a_value_that_is_missing_unknown_or_too_long_is_told(values: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as told:
        fill_in(command("systemctl,restart,{{NAME}}"), values)

    assert told.value.problems[0].field == field


def test_what_only_looks_like_a_variable_stays() -> None:
    text = "docker,ps,--format,{{.ID}},{{name}},{{A1}}"

    assert fill_in(command(text), {})["steps"][0]["input"]["command"] == text


@pytest.mark.parametrize(
    "command",
    [
        "sh,-c,echo {{X}}",
        "/bin/bash,-o,pipefail,-ec,echo {{X}}",
        "env,A=1,sh,-c,-e,echo {{X}}",
        "sudo,su,root,-c,echo {{X}}",
        "su,--command=echo {{X}},root",
        "sh -c 'echo {{X}}'",
        "cd /tmp && sudo sh -ec \"echo '{{X}}'\"",
        "eval echo {{X}}",
        "true; 'eval' \"echo {{X}}\"",
        "true # it's one\nsh -c 'echo {{X}}'",
    ],
)
def test_a_variable_in_what_a_shell_reads_as_commands_is_refused(command: str) -> None:
    with pytest.raises(InputError, match="shell or eval reads as commands"):
        job_document.read({"steps": [{"type": "runCommand", "input": {"command": command}}]})


@pytest.mark.parametrize(
    "command",
    [
        "python3,-c,print('{{X}}')",
        "/usr/bin/python3.11,-Iuc,print({{X}})",
        "python,-W,ignore,-cprint({{X}})",
        "env,A=1,python3,-c,{{X}}",
        'python3 -c "print({{X}})"',
        "cat a | python3 -c 'print(\"{{X}}\")' | sort",
        "perl,-lane,print {{X}}",
        "perl,-pi.bak,-e,s/a/{{X}}/,file",
        "perl,-e,1;,-e{{X}}",
        "perl,-M{{X}},-e,1",
        "ruby,-rjson,-ne,puts {{X}}",
        "node,--eval=f({{X}})",
        "nodejs,-r,fs,-p,{{X}}",
        "php,-d,a=1,-r,echo {{X}};",
        'awk,-F,:,-v,a=1,$1 == "{{X}}" {print},/etc/passwd',
        "cat a | awk '/{{X}}/ {print $1}'",
        "if true; then sudo gawk --source={{X}} a; fi",
        "sed,-i,s/a/{{X}}/,file",
        "sed,-n,-e,p,-e,{{X}}p,file",
        "xargs,sed,-ne,{{X}}p",
        "powershell.exe,-NoProfile,-ExecutionPolicy,Bypass,-Command,Get-Item,{{X}}",
        "pwsh,-c,Get-Item {{X}}",
        "powershell,Get-Item {{X}}",
        "pwsh,-enc,{{X}}",
        "lua5.4,-e,print({{X}})",
        "Rscript,-e,cat({{X}})",
        "docker,exec,box,python3,-c,print({{X}})",
        "ssh,-p,22,host,echo {{X}}",
        "watch,-n,1,echo {{X}}",
        "cmd,/c,dir {{X}}",
        "/usr/bin/env,-S,{{X}}",
        "env,-i,--split-string=ls {{X}}",
        "script,-qc,ls {{X}},/dev/null",
        "sudo script --command={{X}} log",
    ],
)
def test_a_variable_in_the_text_of_an_interpreter_is_refused_and_it_is_told_what_to_write(command: str) -> None:
    with pytest.raises(
        InputError, match=r"as an argument beside the text, or in the environment|write a handler"
    ) as told:
        job_document.read({"steps": [{"type": "runCommand", "input": {"command": command}}]})

    (problem,) = told.value.problems
    assert problem.field == "job_document.steps.0.input.command"
    if problem.example is not None:
        job_document.read({"steps": [{"type": "runCommand", "input": {"command": problem.example}}]})


@pytest.mark.parametrize(
    "command",
    [
        "python3,-c,import sys; print(sys.argv[1]),{{X}}",
        "python3,-m,json.tool,{{X}}",
        "python3,script.py,-c,{{X}}",
        "env,X={{X}},perl,-e,print $ENV{X}",
        "perl,-pie,{{X}}",
        "perl -e 'print $ARGV[0]' {{X}}",
        "php,-r,echo $argv[1];,--,{{X}}",
        "awk,-v,a={{X}},{print a},{{X}}",
        "awk,-F{{X}},{print $1},file",
        "awk,-f,prog.awk,{{X}}",
        "sed,-n,-e,p,{{X}}",
        "sed,-i.bak,s/a/b/,{{X}}",
        "sed,-nf,script.sed,{{X}}",
        "pwsh,-NoProfile,-File,script.ps1,-Name,{{X}}",
        "apt-get,install,-y,sed,gawk,{{X}}",
        "watch,-x,ls,{{X}}",
        "env,-u,S,ls,-S,{{X}}",
        "script,-a,{{X}}",
        "python3,script,-c,{{X}}",
        "ssh,-i,{{X}},host,uptime",
        "node,script.js,-e,{{X}}",
        "cp,-r,{{X}},/tmp/x",
        'sh,-c,echo "$1",_,{{X}}',
        "sh -c 'echo \"$1\"' _ {{X}}",
        "sh -c 'echo done' && echo {{X}}",
        "sh,script.sh,{{X}}",
        "bash,--rcfile,{{X}},script.sh",
        "echo {{X}} | cut -c 3",
        "grep,-c,{{X}},/etc/hosts",
    ],
)
def test_a_variable_beside_a_script_is_taken(command: str) -> None:
    document = {"steps": [{"type": "runCommand", "input": {"command": command}}]}
    job_document.read(document)
    # What is filled in may look like one.
    job_document.read(fill_in(document, {"X": "{{Y}}"}), is_filled=True)


def test_a_word_of_digits_costs_no_more_than_its_length() -> None:
    """What looks for the version of an interpreter took seconds for one of 10,000 digits, as a program may be asked for."""
    assert spends_at_most(1, lambda: misplaced(f"echo {'9' * 100_000}x {{{{A}}}}")) is None
    assert misplaced("python3.11 -c {{A}}") is not None
