"""`riskscan completion`: a script by which a shell completes commands, options and file names."""

from __future__ import annotations

import argparse

import shtab

FILES = {"files", "file", "output"}  # the arguments that name files, in every command


def make_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a shell: bash, zsh or fish."""
    for action in parser._actions:  # shtab reads them too; argparse has no public way
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                mark_files(command)
    return shtab.complete(parser, shell)


def mark_files(command: argparse.ArgumentParser) -> None:
    for action in command._actions:
        if action.dest in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
