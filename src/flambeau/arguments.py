"""The command line's parser: `argparse`, whose own words are translated too."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from .language import part
from .language import text as _

# What argparse says in front of the colon of an error.
ERRORS = (part("the following arguments are required"), part("unrecognized arguments"))


class Parser(argparse.ArgumentParser):
    """An ArgumentParser in the language of messages.

    >>> from flambeau.arguments import Parser
    >>> print(Parser(prog="flambeau", usage="flambeau").format_usage().strip())
    usage: flambeau
    """

    def format_usage(self) -> str:
        """The usage line."""
        return _own_words(super().format_usage())

    def format_help(self) -> str:
        """The whole help."""
        return _own_words(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and leave with status 2."""
        start, colon, rest = message.partition(": ")
        self.print_usage(sys.stderr)
        start = _(start) if start in ERRORS else start  # not a message
        self.exit(2, f"{self.prog}: {_('error')}: {start}{colon}{rest}\n")


def _own_words(text: str) -> str:
    for english, translated in (
        ("usage:", _("usage:")),
        ("positional arguments:", _("positional arguments:")),
        ("options:", _("options:")),
        ("show this help message and exit", _("show this help message and exit")),
    ):
        text = text.replace(english, translated)
    return text
