"""matplotlib's SVG, cut down to shapes, so that it can stand inside a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Tree

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_SHAPES = frozenset({"svg", "g", "defs", "path", "use", "clipPath", "rect", "pattern"})
_ATTRIBUTES = frozenset(
    {"viewBox", "id", "d", "style", "transform", "x", "y", "width", "height", "clip-path", "patternUnits"}
)
_FOREIGN = re.compile(r"url\(\s*(?!#)|expression|@import|javascript:", re.IGNORECASE)


def inline(svg: bytes, title: str, prefix: str = "") -> str:
    """Keep the shapes and their links to each other; drop comments, metadata, style sheets and everything else.

    matplotlib repeats drawn text in comments, and its style sheet would apply to the whole page.

    Args:
        svg: As `drawing.render` made it.
        title: What the picture shows, for screen readers.
        prefix: Put before every id: two pictures of one page must not share any.

    Returns:
        An ``<svg>`` element that scales with its container and refers to nothing outside itself.
    """
    # Our own matplotlib wrote these bytes, entities and external documents do not occur in them.
    root = Tree.fromstring(svg)  # noqa: S314
    _clean(root)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-labelledby", "figure-title")
    # The style sheet that is gone said this for all shapes.
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    caption = Tree.Element(f"{{{_SVG}}}title", {"id": "figure-title"})
    caption.text = title
    root.insert(0, caption)
    if prefix:
        for element in root.iter():
            _rename(element, prefix)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    return Tree.tostring(root, encoding="unicode")


def _clean(element: Tree.Element) -> None:
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.removeprefix(f"{{{_SVG}}}") not in _SHAPES:
            element.remove(child)
        else:
            _clean(child)
    for name, value in list(element.attrib.items()):
        if name == _XLINK and value.startswith("#"):
            element.set("href", value)
        if name not in _ATTRIBUTES or _FOREIGN.search(value):
            del element.attrib[name]


def _rename(element: Tree.Element, prefix: str) -> None:
    for name, value in element.attrib.items():
        if name in ("id", "aria-labelledby"):
            element.set(name, prefix + value)
        elif name == "href":
            element.set(name, f"#{prefix}{value.removeprefix('#')}")
        else:
            element.set(name, value.replace("url(#", f"url(#{prefix}"))
