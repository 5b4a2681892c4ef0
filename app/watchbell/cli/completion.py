"""``watchbell completion``: let a shell complete commands, options and the names of tasks."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from watchbell.cli.screen import examples, note, say

#: What a person puts where, for each shell.
_HOW = {
    "bash": 'eval "$(watchbell completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(watchbell completion zsh)"   in ~/.zshrc, behind compinit',
    "fish": "watchbell completion fish > ~/.config/fish/completions/watchbell.fish",
}
_PROGRAM = "watchbell"
_VARIABLE = "_WATCHBELL_COMPLETE"


@click.command(
    short_help="Print what lets a shell complete commands.",
    epilog=examples(
        'eval "$(watchbell completion bash)"', 'eval "$(watchbell completion zsh)"',
        "watchbell completion fish > ~/.config/fish/completions/watchbell.fish",
    ),
)  # fmt: skip
@click.argument("shell", type=click.Choice(list(_HOW)), metavar="SHELL")
def completion(*, shell: str) -> None:
    """Print the script that lets bash, zsh or fish complete commands, options and the names of tasks.

    Names come from the database of this machine, by a quick look at it that says nothing when there is none.
    """
    # It is imported by the command line itself, which is loaded by now.
    from watchbell.cli.main import cli

    made = get_completion_class(shell)
    assert made is not None
    if shell == "bash":
        # The one of click puts names on the line as they are, where a shell would obey what they hold.
        say(_BASH)
    else:
        say(made(cli, {}, _PROGRAM, _VARIABLE).source())
    note(f"to use it: {_HOW[shell]}")


_BASH = f"""\
_watchbell_completion() {{
    local IFS=$'\\n' item kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) COMPREPLY+=("$(printf %q "$value")") ;;
        esac
    done < <(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD {_VARIABLE}=bash_complete "$1")
}}
complete -o nosort -F _watchbell_completion {_PROGRAM}"""
