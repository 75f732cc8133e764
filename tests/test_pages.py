"""Pages of the embedded Hub as people see them: on a phone, with long lists, and with the tags that cards use."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils import get_session

from medimg import registry
from medimg.cards.readme.markdown import FOLDED, table
from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync

NAMES = ("chexpert", "covid-chestxray", "idrid", "lits")
WIDE = "x" * 300
CARD = f"""---
license: mit
tags: [{", ".join(f"tag-{number}-{WIDE}" for number in range(30))}]
---
# {WIDE}

{WIDE} `{WIDE}` <https://example.org/{WIDE}> [{WIDE}](https://example.org/)

- {WIDE}

> {WIDE}

    {WIDE}

| {WIDE} | b |
| --- | --- |
| `{WIDE}` | {WIDE} |

<details>
<summary>{WIDE}</summary>

{WIDE}

</details>
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub with real cards, and a repository in which everything is too wide."""
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as server:
        hub = Hub(server.url, "medimg")
        assert all(result.good for result in sync(NAMES, hub, check=False))
        hub.api.create_collection(WIDE[:60], namespace="medimg", description=WIDE[:150])
        hub.api.create_repo("medimg/wide", repo_type="dataset")
        hub.api.create_commit(
            "medimg/wide",
            [CommitOperationAdd("README.md", CARD.encode()), CommitOperationAdd(f"{WIDE[:200]}.txt", b"x")],
            commit_message=WIDE[:200],
            repo_type="dataset",
        )
        yield hub


def shown(hub: Hub, path: str) -> str:
    answer = get_session().get(f"{hub.endpoint}{path}")
    assert answer.status_code == 200, path
    return str(answer.text)


def markdown(text: str) -> str:
    return str(pages.render_markdown(text, links="/l", images="/i"))


@pytest.mark.parametrize("name", NAMES)
def test_no_tag_of_a_card_is_shown_as_text(hub: Hub, name: str) -> None:
    page = shown(hub, f"/datasets/medimg/{name}")
    assert "&lt;code" not in page and "&lt;details" not in page and "&amp;lt;" not in page
    assert "<code>&lt;dataset&gt;/&lt;case&gt;</code>" in page


def test_only_the_tags_that_cards_use_are_tags() -> None:
    pair = markdown("a <code>b\\*&lt;c&gt;&#124;</code> <sub>2</sub>")
    assert pair == "<p>a <code>b*&lt;c&gt;|</code> <sub>2</sub></p>\n"
    fold = markdown("<details>\n<summary>3 rows: a &amp; b</summary>\n\n| a |\n| - |\n| b |\n\n</details>\n")
    assert fold.startswith("<details><summary>3 rows: a &amp; b</summary><table>")
    assert fold.endswith("</table>\n</details>")
    for text in (
        "<code>never closed",
        "</code> closed",
        "<code onclick=x>a</code>",
        "<script>alert(1)</script>",
        "<details open ontoggle=alert(1)>",
        "a <details> b",
        "<CODE>a</CODE>",
        "<code><script>x</script></code>",
    ):
        html = markdown(text)
        assert not re.search(r"<(?!/?p>)", html), (text, html)
    hostile = markdown("<summary>&lt;script&gt; \"'</summary>")
    assert hostile == "<summary>&lt;script&gt; &#34;&#39;</summary>"


def test_many_open_tags_cost_no_time() -> None:
    """Text of some 100 kB, in which each tag could be looked for up to the end."""
    for text in ("<code>" * 16_000, "<code><sub>" * 9_000, "<summary>" * 12_000):
        assert len(markdown(text)) > len(text)


@pytest.mark.parametrize("name", ["lits", "covid-chestxray", "idrid"])
def test_header_list_and_table_agree_on_the_rows(hub: Hub, name: str) -> None:
    page = shown(hub, f"/datasets/medimg/{name}")
    manifest = hub.published(name).manifest
    assert manifest is not None
    header = re.search(r"<p>([\d,]+) rows, ", page)
    table = re.search(r"<strong>Rows</strong></td>\n<td>([\d,]+)</td>", page)
    listed = re.search(
        rf'/{name}">medimg/{name}</a></th>\s*<td>dataset</td>\s*<td class="number">([\d,]+)', shown(hub, "/")
    )
    assert header and table and listed
    assert header[1] == table[1] == listed[1] == f"{manifest.rows:,}"


def test_long_lists_are_folded(hub: Hub) -> None:
    dataset = registry.get("idrid").dataset
    assert len(dataset.legend) > FOLDED
    page = shown(hub, "/datasets/medimg/idrid")
    assert re.search(r"<details><summary>\d+ rows: mask value, meaning</summary><table>", page)
    assert page.count("<details>") == page.count("</details>") >= 2
    outside = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert max(table.count("<tr>") for table in outside.split("<table>")) <= FOLDED + 1
    assert "<details><summary>31 tags</summary>" in shown(hub, "/datasets/medimg/wide")
    few = table(["a", "b"], [[1, 2]] * FOLDED)
    many = table(["a_b", r"c\_d"], [[1, 2]] * (FOLDED + 1))
    assert "<details>" not in few and "<summary>21 rows: a_b, c_d</summary>" in many


def test_no_page_is_wider_than_a_phone(hub: Hub) -> None:
    browser = shutil.which("chromium")
    api = pytest.importorskip("playwright.sync_api")
    if browser is None:
        pytest.skip("there is no chromium")
    paths = [
        "/",
        "/?q=lits",
        f"/{WIDE}",
        "/datasets/medimg/wide/tree/main",
        "/datasets/medimg/wide/commits/main",
    ]
    paths += [f"/datasets/medimg/wide/blob/main/{WIDE[:200]}.txt"]
    paths += [f"/datasets/medimg/{name}" for name in (*NAMES, "wide")]
    paths += [f"/collections/{each.slug}" for each in hub.api.list_collections(owner="medimg")]
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": 390, "height": 844})
        for path in paths:
            page.goto(hub.endpoint + path)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            wider = page.evaluate(
                "[...document.body.querySelectorAll('*')].filter(each => !each.closest('table, pre, .skip') "
                "&& each.getBoundingClientRect().right > 390.5).map(each => each.outerHTML.slice(0, 120))"
            )
            assert not wider, (path, wider)
        running.close()
