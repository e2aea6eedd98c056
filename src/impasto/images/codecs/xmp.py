"""Cleans XMP of promises that a painting cannot keep: gain maps, films, depth, thumbnails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.dom import minidom

from impasto.errors import reason

if TYPE_CHECKING:
    from xml.dom.minidom import Document, Element

_ALL = re.compile("")
_FILM = re.compile("Motion|MicroVideo|OLive|Live")
_COMPANIONS = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": _ALL,
    "http://ns.apple.com/HDRGainMap/1.0/": _ALL,
    "http://ns.apple.com/pixeldatainfo/1.0/": _ALL,
    "http://ns.google.com/photos/1.0/container/": _ALL,
    "http://ns.google.com/photos/1.0/container/item/": _ALL,
    "http://ns.google.com/photos/1.0/image/": _ALL,
    "http://ns.google.com/photos/1.0/depthmap/": _ALL,
    "http://ns.google.com/photos/1.0/audio/": _ALL,
    "http://ns.google.com/photos/dd/1.0/device/": _ALL,
    "http://ns.google.com/photos/dd/1.0/container/": _ALL,
    "http://ns.google.com/photos/dd/1.0/item/": _ALL,
    "http://ns.adobe.com/xmp/note/": re.compile("HasExtendedXMP"),
    "http://ns.google.com/photos/1.0/camera/": _FILM,
    "http://ns.oplus.com/photos/1.0/camera/": _FILM,
    "http://ns.xiaomi.com/photos/1.0/camera/": _FILM,
    "http://ns.vivo.com/photos/1.0/camera/": _FILM,
    "http://ns.honor.com/photos/1.0/camera/": _FILM,
    "http://ns.adobe.com/xap/1.0/": re.compile("Thumbnails"),
}
"""Names in these spaces describe other pictures, films or data in the same file."""
_TELLS = re.compile(b"|".join(re.escape(space.encode()) for space in _COMPANIONS))
_NAMESPACES = "http://www.w3.org/2000/xmlns/"
_MAX = 4 * 2**20


def of_one_picture(xmp: bytes, notes: list[str]) -> bytes:
    """Remove from ``xmp`` what it says of companions; empty if that cannot be told apart.

    XMP without companions stays as it is.
    """
    xmp = xmp.strip(b"\0")
    if not _TELLS.search(xmp.replace(b"\0", b"")):
        return xmp
    try:
        if len(xmp) > _MAX or b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
            raise ValueError("too long, or with entities")
        document = minidom.parseString(xmp)
        _clean(document)
        return b"".join(node.toxml().encode() for node in document.childNodes)
    except Exception as error:  # whatever the parser reports
        notes.append(f"its XMP data is damaged and left out ({reason(error)})")
        return b""


def _clean(document: Document) -> None:
    """Remove elements and attributes of companions, and what then has no use."""
    for element in list(document.getElementsByTagName("*")):
        if _tells(element.namespaceURI, element.localName) and element.parentNode:
            element.parentNode.removeChild(element)
    left = [*document.getElementsByTagName("*")]
    for element in left:
        for attribute in list(element.attributes.values()):
            if _tells(attribute.namespaceURI, attribute.localName):
                element.removeAttributeNode(attribute)
    used = {name for element in left for name in _spaces(element)}
    for element in left:
        for attribute in list(element.attributes.values()):
            unused = attribute.value in _COMPANIONS and attribute.value not in used
            if attribute.namespaceURI == _NAMESPACES and unused:
                element.removeAttributeNode(attribute)


def _tells(space: str | None, name: str | None) -> bool:
    names = _COMPANIONS.get(space or "")
    return bool(names and names.match(name or ""))


def _spaces(element: Element) -> set[str | None]:
    return {element.namespaceURI, *(each.namespaceURI for each in element.attributes.values())}
