"""Text of others as text: in HTML, in LaTeX, in DOT. Whatever it holds, nothing of it is obeyed. Pure."""

from __future__ import annotations

from html import escape

from agentr_core.process.terminal import one_line, visible

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "[": "{[}", "*": "{*}",  # at the beginning of a row they would belong to the end of the one before
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    # what agentr's own tables are written with, for engines that know no Unicode
    "±": r"$\pm$", "·": r"$\cdot$", "×": r"$\times$", "→": r"$\rightarrow$", "–": "--", "…": r"\dots{}",
}  # fmt: skip


def html(text: object, most: int | None = None) -> str:
    """Text for HTML, in an element or in a quoted attribute; of more than ``most`` characters the beginning."""
    return escape(visible(clipped(str(text), most)), quote=True)


def html_line(text: object, most: int | None = None) -> str:
    """As :func:`html`, on one line."""
    return escape(one_line(clipped(str(text), None if most is None else 4 * most), most), quote=True)


def clipped(text: str, most: int | None) -> str:
    """Text, or the beginning of a long one and how much is missing."""
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]} … ({len(text) - most:,} more characters)"


def latex(text: object) -> str:
    """Text for LaTeX's text mode, on one line. Letters of other scripts stay: XeLaTeX and LuaLaTeX set them."""
    return "".join(_LATEX.get(letter, letter) for letter in one_line(str(text)))


def dot(text: object, most: int = 60) -> str:
    """A quoted string for Graphviz, on one line and of at most ``most`` characters.

    A backslash would begin an escape and an ampersand a character by name.
    """
    line = one_line(clipped(str(text), 4 * most), most)
    return '"{}"'.format(line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"'))
