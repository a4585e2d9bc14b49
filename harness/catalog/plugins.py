"""Plug-ins: names for objects of other modules, found by entry points and imported when used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UsageError
from harness.spelling import suggestion

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class PluginError(HarnessError):
    """A plug-in cannot be loaded, or two bring the same name; the message names the distribution."""

    default_code = "plugin"


class Registry:
    """Names of one group: ours and those of installed distributions. Nothing is imported before `load`.

    Args:
        group: Entry-point group (``harness.scorers``).
        builtin: Our names, each with its ``module:attr``.
    """

    def __init__(self, group: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self._builtin = dict(builtin)
        self._plugins: dict[str, list[EntryPoint]] = {}
        for point in installed(group):
            self._plugins.setdefault(point.name, []).append(point)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._builtin.keys() | self._plugins.keys()))

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._plugins

    def load(self, name: str) -> Any:
        """Import and return the object called ``name``.

        Raises:
            UsageError: Nothing has this name; the message gives the nearest one.
            PluginError: The object cannot be imported, or the name is taken twice.
        """
        point = self._only(name)
        if point is not None:
            return load_entry_point(point)
        module, _, attribute = self._builtin[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def distribution(self, name: str) -> str | None:
        """``name==version`` of the plug-in that brings ``name``; None for one of ours.

        Raises:
            UsageError: Nothing has this name.
            PluginError: The name is taken twice.
        """
        point = self._only(name)
        return None if point is None else pinned(point)

    def _only(self, name: str) -> EntryPoint | None:
        """The entry point called ``name``; None where it is one of ours."""
        points = self._plugins.get(name, [])
        if name in self._builtin and points:
            raise PluginError(
                f"{pinned(points[0])}: brings '{name}' to {self.group}, which is a name of wizard-harness itself",
                "uninstall it, or ask its authors to rename the entry point",
            )
        if len(points) > 1:
            both = " and ".join(sorted(pinned(point) for point in points))
            raise PluginError(f"{both}: all bring '{name}' to {self.group}", "uninstall all but one")
        if name not in self:
            kind = self.group.rpartition(".")[2].removesuffix("s")
            raise UsageError(f"unknown {kind} '{name}'; {suggestion(name, self.names())}")
        return points[0] if points else None


def registry(group: str, builtin: Mapping[str, str]) -> Registry:
    """The names of ``group``: ``builtin`` (name -> ``module:attr``) and installed entry points."""
    return Registry(group, builtin)


def installed(group: str) -> Iterator[EntryPoint]:
    """Entry points of ``group``, by name and then distribution."""
    from importlib.metadata import entry_points  # slow to import, and only needed once something is looked up

    return iter(sorted(entry_points(group=group), key=lambda point: (point.name, pinned(point))))


def load_entry_point(point: EntryPoint) -> Any:
    """Import what an entry point names.

    Raises:
        PluginError: It cannot be imported; whatever a plug-in raises while importing is its fault, said by its name.
    """
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{pinned(point)}: its {point.group} entry point '{point.name}' ({point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}",
            "repair or uninstall this distribution",
        ) from error


def pinned(point: EntryPoint) -> str:
    """``name==version`` of the distribution that brings an entry point."""
    return f"{point.dist.name}=={point.dist.version}" if point.dist is not None else "an unnamed distribution"
