"""Where a pin says its bytes come from: a file in an installed package, a file, or a URL."""

from __future__ import annotations

import difflib
import posixpath
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from harness.datasets.failures import MIRROR_REMEDY
from harness.errors import DataError, SpecError
from harness.types import DatasetPin

Kind = Literal["package", "url", "file"]

_FORMS = "package:DIST[==VERSION]/PATH, url:https://... or file:PATH"


class Source(msgspec.Struct, frozen=True):
    """A parsed source.

    Attributes:
        kind: Which of the three.
        where: URL or path; for a package the path inside it.
        package: The distribution's name; empty otherwise.
        version: Its release that has the pinned bytes; empty where any may have them.
    """

    kind: Kind
    where: str
    package: str = ""
    version: str = ""

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}" if self.version else self.package

    @property
    def name(self) -> str:
        """The file's own name as its origin has it."""
        path = urlsplit(self.where).path if self.kind == "url" else self.where
        return posixpath.basename(unquote(path) if self.kind == "url" else path.replace("\\", "/").rstrip("/"))


def parse_source(pin: DatasetPin) -> Source:
    """Take a pin's source apart.

    Raises:
        SpecError: Not one of the three forms.
    """
    kind, _, where = pin.source.partition(":")
    if kind == "url":
        return _url(pin, where)
    if kind == "package":
        package, _, inside = where.partition("/")
        parts = PurePosixPath(inside).parts
        if not package or not parts or inside.startswith("/") or ".." in parts:
            raise _wrong(pin, "a package source is package:DIST[==VERSION]/PATH, the path as inside the wheel")
        name, _, version = package.partition("==")
        return Source("package", inside, name, version)
    if kind == "file" and where:
        return Source("file", where)
    raise _wrong(pin, f"a source is {_FORMS}")


def _url(pin: DatasetPin, where: str) -> Source:
    try:
        parts = urlsplit(where)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        usable = usable and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character <= " " or character == "\x7f" for character in where):
        raise _wrong(pin, "a url source is url:https://HOST/PATH (http or https, no spaces, no password)")
    if not where.isascii():
        raise _wrong(pin, "percent-encode what is not ASCII in the URL")
    return Source("url", where)


def _wrong(pin: DatasetPin, remedy: str) -> SpecError:
    return SpecError(f"data set {pin.name}: source {pin.source!r} cannot be used", remedy)


def cache_name(source: Source, pin: DatasetPin) -> str:
    """The file's name in the cache: its own, without ``.gz``, for the cached bytes are unpacked."""
    name = source.name.removesuffix(".gz")
    return name if name.strip(".") and "\0" not in name and not name.startswith(".") else f"{pin.name}.data"


def package_file(pin: DatasetPin, source: Source) -> Path:
    """The file inside an installed package.

    Raises:
        DataError: The package is not installed, or holds no such file.
    """
    try:
        distribution = metadata.distribution(source.package)
    except (metadata.PackageNotFoundError, ValueError) as error:
        raise DataError(
            f"data set {pin.name}: its file {source.where} ships in the package {source.package}, "
            "which is not installed",
            f"pip install {source.requirement}",
            code="no-package",
        ) from error
    path = Path(str(distribution.locate_file(source.where)))
    if path.is_file():
        return path
    files = [str(file) for file in distribution.files or ()]
    near = difflib.get_close_matches(source.where, files, n=1)
    hint = f"; it has {near[0]}" if near else ""
    raise DataError(
        f"data set {pin.name}: the package {source.package} {distribution.version} has no file {source.where}{hint}",
        other_release(source),
        code="no-file",
    )


def other_release(source: Source) -> str:
    """What to do where the installed release of a package has other bytes."""
    wanted = f"pip install {source.requirement}" if source.version else f"install the right release of {source.package}"
    return f"{wanted}, or {MIRROR_REMEDY}"


def local_file(pin: DatasetPin, source: Source, base: Path | None) -> Path:
    """The file of a ``file:`` source; relative paths start at ``base``, else at the working folder.

    Raises:
        DataError: No such file.
    """
    path = Path(source.where)
    if not path.is_absolute():
        path = (base if base is not None else Path.cwd()) / path
    if path.is_file():
        return path
    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    raise DataError(
        f"data set {pin.name}: no such file: {path}",
        f"did you mean '{near[0]}'?" if near else "correct the pin's source, or name its folder with --data-dir",
        code="no-file",
    )
