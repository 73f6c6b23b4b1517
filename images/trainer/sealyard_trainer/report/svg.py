"""Makes an SVG document part of a page."""

from __future__ import annotations

from xml.etree import ElementTree as ET

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
# Nobody knows the prefix that it would think of.
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def to_inline(document: str, *, prefix: str, ink: str) -> str:
    """The element of a drawing that matplotlib wrote, for several of them in one page.

    Args:
        document: of our own making.
        prefix: what its ids begin with, because they are the page's then.
        ink: the colour that becomes the page's own.
    """
    root = ET.fromstring(document)  # noqa: S314 - matplotlib wrote it a moment ago
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for size in ("width", "height"):
        del root.attrib[size]
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _attribute(name, value, prefix).replace(ink, "currentColor"))
    return ET.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name in {"href", f"{{{XLINK}}}href"} and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return value.replace("url(#", f"url(#{prefix}-")
