"""Secrets taken out of whatever is shown or written: keys of the environment, of URLs and of flags."""

from __future__ import annotations

import os
import re
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$")
_CREDENTIALS = re.compile(r"(:/{1,2})[^\s/?#]*@")  # a URL taken for a path has lost a slash
_QUERY = re.compile(r"(:/{1,2}[^\s?#'\"]*\?)[^\s#'\"]+")
_HEADER = re.compile(r"(\b(?:[Bb]earer\s+(?=\S{4})|[Bb]asic\s+(?=\S{8})))[\w.~+/=-]+")
_FLAG = re.compile(r"--?[\w-]*(?:key|token|secret|password|header)", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"((?:^|(?<=[\s'\"]))(?:--?[\w-]*(?:key|token|secret|password)|\w*_(?:KEY|TOKEN|SECRET|PASSWORD))=)[^\s'\"]+"
)
_SHORTEST = 6  # shorter values ("0", "none") are settings, and redacting them would garble every message
_HIDDEN = "[hidden]"
_learnt: set[str] = set()


def hide(*secrets: str) -> None:
    """Make known what this process must never show: a URL's password, the header made of it.

    Secrets of the environment need no word: `redact` looks them up by the names of their variables.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            _learnt.update((secret, urllib.parse.quote(secret, safe="")))


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Take secrets out of a text: values of ``*_KEY``, ``*_TOKEN`` and the like of the environment, and parts of URLs.

    Of a URL, user and password go, and the whole query: gateways take keys in it, under names nobody can list. So do
    ``Bearer`` and ``Basic`` credentials, and what is assigned to a name that speaks of a key (``--api-key=...``).

    Args:
        text: Text of any origin.
        environment: Where secrets are looked up; absent: this process's.
    """
    variables = os.environ if environment is None else environment
    secrets = dict.fromkeys(_learnt, "hidden")
    for name, value in variables.items():
        if _SECRET_NAME.search(name.upper()):
            for form in (value, value.strip(), urllib.parse.quote(value, safe="")):
                secrets[form] = name
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, f"[{secrets[value]}]")
    text = _QUERY.sub(r"\1[query]", _CREDENTIALS.sub(r"\1[credentials]@", text))
    return _ASSIGNED.sub(rf"\1{_HIDDEN}", _HEADER.sub(rf"\1{_HIDDEN}", text))


def redact_command(words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """A command line fit to be shown and recorded: as typed, quoted for a shell, without its secrets.

    Args:
        words: The program and its arguments. Of the program only the file's name is told.
        environment: As for `redact`.
    """
    shown: list[str] = []
    hide = False
    for word in words:
        if not shown:
            word = Path(word).name
        elif hide and not word.startswith("--"):
            word = _HIDDEN
        else:
            word = _word(word, environment)
        hide = _FLAG.fullmatch(word) is not None
        shown.append(word)
    return shlex.join(shown)


def redact_url(url: str) -> str:
    """A URL, with or without its scheme, without user, password and query; blanks and quotes end no part of it."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    head, hash_, served = rest.partition("#")
    place, query, _ = head.partition("?")
    bare = place.rpartition("@")[2] if "@" in place.partition("/")[0] else place
    hidden = "[credentials]@" if bare != place else ""
    return f"{scheme}{mark}{hidden}{bare}{'?[query]' if query else ''}{hash_}{served}"


def _word(word: str, environment: Mapping[str, str] | None) -> str:
    return redact(redact_url(word) if "://" in word else word, environment)
