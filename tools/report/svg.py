"""A Vega-Lite chart as an SVG element of a page, which decides on colors and fonts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

import vl_convert

_NAMESPACE: Final = "{http://www.w3.org/2000/svg}"
_MARKS: Final = frozenset({"path", "line"})
_GEOMETRY: Final = frozenset({"d", "transform"})
_DROPPED: Final = re.compile(r"aria-.*|role|class|font-.*|pointer-events|(stroke-|fill-)?opacity|.*}.*")
_DECIMALS: Final = re.compile(r"(\.\d)\d+")


def inline(spec: Mapping[str, Any], alt: str) -> str:
    """Draw a chart.

    Args:
        spec: A Vega-Lite specification. Colors may be variables of the page's style sheet. The `description` of a mark
            becomes its tooltip.
        alt: What the chart shows, for those who do not see it.
    """
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(dict(spec)))
    for element in root.iter():
        _clean(element)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": alt}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _clean(element: ElementTree.Element) -> None:
    """Make the label of a mark its tooltip, and leave out what the page decides and what nobody sees."""
    element.tag = element.tag.removeprefix(_NAMESPACE)
    label = element.attrib.get("aria-label")
    for name in [name for name in element.attrib if _DROPPED.fullmatch(name)]:
        del element.attrib[name]
    for name in _GEOMETRY & element.attrib.keys():
        element.attrib[name] = _DECIMALS.sub(r"\1", element.attrib[name])
    for child in [child for child in element if child.attrib.get("display") == "none"]:
        element.remove(child)
    if label and element.tag in _MARKS:
        ElementTree.SubElement(element, "title").text = label
