"""Text and tables as Markdown that shows exactly what it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from markupsafe import Markup

from medimg.text import clean

MAX_ROWS = 60
"""A table longer than this says how many rows it leaves out."""
SHAPES = {"2d": "2-D", "3d": "3-D", "video": "video"}
FOLDED = 20
"""A table or list longer than this is folded."""
_URL = r"https?://[^\s<>\"'`|\\^{}\[\]()]+"
_INLINE = re.compile(rf"(?P<code>`[^`]+`)|(?P<url>{_URL})")
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\\": "&#92;", "`": "&#96;"} | {
    character: f"\\{character}" for character in "*_[]~$#"
}
_LINE_START = re.compile(r"^(\d*)(?=[+\-=](?:[\s\-=]|$)|(?<=\d)[.)](?:\s|$))")


def escape(text: object) -> Markup:
    """Text as Markdown that shows exactly this text, in a paragraph, a list or a table cell."""
    shown = "".join(_SPECIAL.get(c, c) for c in clean(str(text)))
    return Markup(_LINE_START.sub(r"\1\\", shown))


def code(text: object) -> Markup:
    """Text as inline code."""
    shown = clean(str(text))
    if not shown:
        return Markup("–")
    if "`" in shown or "|" in shown:  # the one ends it, the other a cell of a table
        return Markup("<code>{}</code>").format(escape(shown))
    return Markup(f"`{shown}`")


def link(text: object, url: str | None) -> Markup:
    """A link to an http(s) address; any other address is shown as code."""
    if not url:
        return escape(text)
    if not re.match(r"https?://\S", url):
        return code(url)
    return Markup(f"[{escape(text)}]({quote(clean(url), safe='/:?&=#%+,@~')})")


def address(url: str) -> Markup:
    """An address that shows itself."""
    url = clean(url)
    return Markup(f"<{url}>") if re.fullmatch(_URL, url) else link(url, url)


def prose(text: str) -> Markup:
    """Escaped text in which `code` and http(s) addresses stay what they are."""
    text = clean(text)
    parts: list[str] = []
    position = 0
    for found in _INLINE.finditer(text):
        end = found.end()
        if found["code"]:
            part = code(found["code"][1:-1])
        else:
            url = found["url"].rstrip(".,;:!?*_~$")
            end = found.start() + len(url)
            part = Markup(f"<{url}>")
        parts += [_piece(text[position : found.start()], first=not position), str(part)]
        position = end
    parts.append(_piece(text[position:], first=not position))
    return Markup("".join(parts))


def _piece(text: str, *, first: bool) -> str:
    """A stretch of `prose` between code and addresses; only the first stands at the start of a line."""
    shown = "".join(_SPECIAL.get(c, c) for c in text)
    return _LINE_START.sub(r"\1\\", shown) if first else shown


def paragraphs(text: str) -> Markup:
    """Paragraphs of `prose`, as blank lines divide the text."""
    return Markup("\n\n".join(str(prose(part)) for part in re.split(r"\n[ \t]*\n", text) if part.strip()))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, limit: int | None = None) -> Markup:
    """A Markdown table, folded where it is long; cells that are no `Markup` are escaped."""
    every = [[cell if isinstance(cell, Markup) else escape(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(headers) + " |", "|" + " --- |" * len(headers)]
    lines += ["| " + " | ".join(cell or "–" for cell in row) + " |" for row in every[:limit]]
    if limit is not None and len(every) > limit:
        lines.append(f"| … and {len(every) - limit:,} more |" + " |" * (len(headers) - 1))
    named = re.sub(r"\\(.)", r"\1", ", ".join(headers[:4]))  # HTML has no use for Markdown's escapes
    return folded(Markup("\n".join(lines)), len(every), f"rows: {named}")


def folded(text: Markup, count: int, what: str) -> Markup:
    """Text of so many rows or entries, behind a line to open it where these are many."""
    if count <= FOLDED:
        return text
    return Markup(f"<details>\n<summary>{count:,} {what}</summary>\n\n{text}\n\n</details>")


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """A table of names and what they are, without a header."""
    return table(["", ""], [(Markup(f"**{name}**"), value) for name, value in rows])


def quantity(count: int, thing: str) -> str:
    """E.g. "1 row", "2,000 rows"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def allowed(value: bool | None, whom: str, yes: str = "allowed", no: str = "not allowed") -> str:
    """What a term of a license says; None is not known."""
    return f"not known: ask {whom}" if value is None else yes if value else no
