"""Pages to browse the embedded Hub: no scripts, no outside assets, everything from users escaped."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from medimg.hub_sync.hub.commits import Commit
from medimg.hub_sync.hub.parsing import read_yaml
from medimg.hub_sync.hub.refusals import HubRefusal, Json
from medimg.hub_sync.hub.repository import Repository
from medimg.text import size_text

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CARD_BYTES = 2 << 20
_MARKDOWN_LENGTH = 128 << 10
_MARKDOWN_LINES = 5000
PORTAL = "medimg-portal"
"""Tag of the Space that is the first page."""
_FACETS = ("task_categories", "language", "size_categories", "annotations_creators", "source_datasets")


@dataclass(frozen=True)
class Card:
    """A README: what its YAML says and the text below it."""

    data: Json = field(default_factory=dict)
    text: str = ""
    problem: str = ""

    @property
    def tags(self) -> list[str]:
        """Tags as Hub clients filter by them: `license:mit`, `task_categories:image-segmentation`, ..."""
        tags = [f"license:{name}" for name in _texts(self.data.get("license"))]
        for facet in _FACETS:
            tags += [f"{facet}:{name}" for name in _texts(self.data.get(facet))]
        return tags + _texts(self.data.get("tags"))

    @property
    def rows(self) -> int | None:
        """Rows of the default (or only, or first) configuration, where the YAML says so.

        Of our own cards, whose configs `default` may not join all, the configuration that has every row.
        """
        infos = self.data.get("dataset_info")
        infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
        whole = "metadata" if "medimg" in self.tags else "default"
        named = [(info.get("config_name", "default"), info) for info in infos]
        infos = [info for _, info in sorted(named, key=lambda one: (one[0] != whole, one[0] != "default"))]
        splits = infos[0].get("splits") if infos else None
        splits = splits if isinstance(splits, list) else []
        counts = [split.get("num_examples") for split in splits if isinstance(split, dict)]
        numbers = [count for count in counts if isinstance(count, int)]
        return sum(numbers) if numbers and len(numbers) == len(counts) else None

    @property
    def without_data(self) -> bool:
        """Whether the YAML declares configurations, and no file for any of them."""
        configs = self.data.get("configs")
        configs = configs if isinstance(configs, list) else []
        return bool(configs) and all(isinstance(each, dict) and each.get("data_files") == [] for each in configs)


def card(repository: Repository, commit: Commit) -> Card:
    """Read the card of a revision; a card that cannot be read is empty and says why."""
    file = commit.files.get("README.md")
    if file is None or file.size > CARD_BYTES:
        return Card(problem="There is no card." if file is None else "The card is too large to be shown.")
    try:
        return _read_card(repository.store.object_path(file.sha256))
    except OSError:
        return Card(problem="The store has lost the card.")


def is_static(repository: Repository, commit: Commit) -> bool:
    """Whether a repository is a static Space: pages that a browser shows as they are."""
    return repository.type == "space" and card(repository, commit).data.get("sdk") == "static"


def static_url(repository: Repository) -> str:
    """Where a static Space is shown."""
    return f"/static/{repository.id}/"


@lru_cache(maxsize=256)
def _read_card(path: Path) -> Card:
    return parse_card(path.read_text(encoding="utf-8", errors="replace"))


def parse_card(content: str) -> Card:
    """Split a README into its YAML and its text; bad YAML gives an empty mapping and the problem."""
    lines = content.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in (line.rstrip() for line in lines[1:]):
        return Card(text=content)
    end = next(number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---")
    text = "\n".join(lines[end + 1 :])
    try:
        data = read_yaml("\n".join(lines[1:end]))
    except ValueError as error:
        return Card(text=text, problem=f"The YAML cannot be read: {error}")
    if data is not None and not isinstance(data, dict):
        return Card(text=text, problem="The YAML is not a mapping.")
    return Card(data or {}, text)


def _texts(value: object) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item is not None]


_JINJA = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_JINJA.globals["style"] = Markup(_STYLE)  # our own file
_JINJA.filters["size"] = size_text
_JINJA.filters["path"] = lambda text: quote(text, safe="/")
_JINJA.filters["rev"] = lambda text: quote(text, safe="")
_JINJA.filters["count"] = lambda number: f"{number:,}"
_FOLD = re.compile(r"</?details>|<summary>(?P<title>[^<]*)</summary>")
_PAIR = re.compile(r"<(?P<tag>code|kbd|sub|sup)>(?P<inner>[^<]*)</(?P=tag)>")


def _fold(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line that opens, names or closes a folded part."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].strip()
    found = _FOLD.fullmatch(line)
    if found is None:
        return False
    if not silent:
        state.line = start + 1
        title = found["title"]
        state.push("tag", "", 0).content = line if title is None else f"<summary>{escape(unescape(title))}</summary>"
    return True


def _pair(state: StateInline, silent: bool) -> bool:
    """Text between the two tags of a pair without attributes."""
    found = _PAIR.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        end = state.posMax
        state.push("tag", "", 0).content = f"<{found['tag']}>"
        state.pos, state.posMax = found.span("inner")
        state.md.inline.tokenize(state)
        state.posMax = end
        state.push("tag", "", 0).content = f"</{found['tag']}>"
    state.pos = found.end()
    return True


def _markdown() -> MarkdownIt:
    """Markdown in which the few tags that cards use are tags, and all other HTML is text."""
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made.block.ruler.before("paragraph", "fold", _fold, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    made.inline.ruler.before("autolink", "pair", _pair)
    made.add_render_rule("tag", lambda renderer, tokens, index, options, env: tokens[index].content)
    return made


_MARKDOWN = _markdown()


def page(template: str, code: int = 200, /, **values: object) -> HTMLResponse:
    """Render a template as an answer that cannot run scripts."""
    html = _JINJA.get_template(template).render(**values)
    return HTMLResponse(
        html, code, {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    )


_COMMENT = re.compile(r"^<!--.*?-->$", re.MULTILINE)


@lru_cache(maxsize=64)
def render_markdown(text: str, *, links: str, images: str) -> Markup:
    """Render Markdown, raw HTML escaped but for a few tags; relative links and images are led to the given folders.

    Text that would take seconds is shown as it is: time grows with the square of its brackets.
    """
    if len(text) > _MARKDOWN_LENGTH or text.count("\n") > _MARKDOWN_LINES or text.count("[") > _MARKDOWN_LINES:
        return Markup("<pre>{}</pre>").format(text)
    tokens = _MARKDOWN.parse(_COMMENT.sub("", text))
    for token in tokens:
        for child in token.children or []:
            if child.type == "image":
                child.attrSet("src", _lead(str(child.attrGet("src") or ""), images))
            elif child.type == "link_open":
                child.attrSet("href", _lead(str(child.attrGet("href") or ""), links))
                child.attrSet("rel", "nofollow noopener noreferrer")
    _anchor_headings(tokens)
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _lead(target: str, folder: str) -> str:
    if target.startswith(("/", "#")) or urlsplit(target).scheme:
        return target
    path = posixpath.normpath(target.split("#")[0])
    return "#" if path.startswith("..") else f"{folder}/{path}"


def _anchor_headings(tokens: list[Token]) -> None:
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            slug = "-".join("".join(char if char.isalnum() else " " for char in inline.content.lower()).split())
            token.attrSet("id", f"card-{slug}")


def show_refusal(refusal: HubRefusal) -> HTMLResponse:
    """Show an error."""
    return page("error.html", refusal.status, status=refusal.status, problem=refusal.problem)
