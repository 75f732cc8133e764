"""The plan of the portal's composer is the one that `medimg.fuse(plan=True)` makes, for the same request."""

from __future__ import annotations

import ast
import csv
import functools
import io
import json
import random
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from medimg import catalogue, fuse, licenses, registry, vocab
from medimg.cards import portal
from medimg.cards.portal.fusion import fusion_data
from medimg.errors import MedimgError
from medimg.fusion import blueprint
from medimg.hub_sync.commands.app import app
from medimg.licenses import TERMS, allowed
from medimg.manifest import NOTICE, ConfigStats, Manifest, Shard, SplitStats

SITE = Path(__file__).parents[1] / "cards" / "portal" / "site"
NODE = """
import { Planner } from "SITE/plan.js";
import * as outputs from "SITE/outputs.js";
import * as recipes from "SITE/recipe.js";
import * as states from "SITE/state.js";
const parts = [];
for await (const part of process.stdin) parts.push(part);
const given = JSON.parse(Buffer.concat(parts).toString());
const answer = (value) => process.stdout.write(JSON.stringify(value));
"""
PLANNED = """((planner) => given.requests.map((asked) => {
  try {
    return planner.plan(asked);
  } catch (error) {
    if (!error.kind) throw error;
    return { error: [error.kind, error.text] };
  }
}))(new Planner(given.data))"""
BY_HAND: tuple[dict[str, Any], ...] = (
    {"modality": "CT", "organ": "liver", "task": "segmentation", "targets": ["liver", "liver tumor"]},
    {"names": ["lits", "msd-liver", "chaos"], "targets": ["liver", "liver tumor"], "encoding": "channels"},
    {"names": ["lits", "hc18"]},
    {"names": ["no such set"]},
    {"names": ["medmnist-v2/pathmnist", "medmnist-v2/nodulemnist3d"], "dimension": "2d"},
    {"organ": "livr"},
    {"task": "regression", "targets": ["bone age"]},
    {"names": ["lits"], "targets": ["left kidney"]},
    {"blueprint": "liver-ct"},
    {"blueprint": "livr-ct"},
    {"names": ["lits", "chaos"], "weights": {"lits": 1}},
    {"names": ["lits", "chaos"], "weights": {"temperature": 2}, "prefer": ["chaos"]},
    {"names": ["lits"], "prefer": ["hc18"]},
    {"names": ["lits", "hc18"], "grid": {"slices": "axial"}, "on_duplicate": "error"},
    {"names": ["lits"], "grid": {"slice": "axial"}},
    {"names": ["lits"], "license_terms": ["comercial"]},
    {"modality": "X-ray", "license_terms": ["commercial", "open"], "minimum": 1000},
    {"modality": "CT", "source": "official", "targets": ["lung"], "dimension": "3d"},
    {"organ": "eye", "source": "s3://bucket/root/", "targets": ["optic disc", "optic cup"]},
    {"repeat": True},
    {"names": ["lits"], "seed": 1.5},
    {"names": ["lits"], "encoding": "indx"},
)


def manifests() -> dict[str, Manifest]:
    """A Hub on which most of the datasets are: one is retired, some lack a sub-collection or a split."""
    chance = random.Random(0)
    found = {}
    for builder in registry.builders():
        dataset = builder.dataset
        if chance.random() < 0.1:
            continue
        configs = []
        for name in dataset.config_names:
            config = dataset.config(name)
            splits = {split: stats(chance.randrange(1, 500)) for split in config.splits if chance.random() < 0.9}
            if splits:
                dimension = config.dimension or dataset.dimension
                configs.append(ConfigStats(name=name, dimension=dimension, splits=splits))
        found[dataset.name] = Manifest(
            name=dataset.name,
            medimg="0",
            schema_version="1",
            origin="miniature",
            fingerprint=NOTICE if chance.random() < 0.05 else {"code": "1"},
            configs=tuple(configs),
        )
    return found


def stats(rows: int) -> SplitStats:
    shard = Shard(path="a", rows=rows, bytes=rows * 1000, raw_bytes=rows * 2000, sha256="0")
    return SplitStats(rows=rows, subjects=rows, shards=(shard, shard), metadata=())


def selections(number: int, seed: int) -> list[dict[str, Any]]:
    """Requests as people make them: some fit, some do not, some make no sense."""
    chance = random.Random(seed)
    entries = registry.builders()

    def some(values: Any, most: int) -> list[Any]:
        values = list(values)
        return chance.sample(values, min(len(values), chance.randint(1, most)))

    def misspelled(text: str) -> str:
        at = chance.randrange(len(text))
        return text[:at] + text[at + 1 :]

    found = []
    for _ in range(number):
        near = chance.choice(entries).dataset
        alike = [
            each.dataset
            for each in entries
            if set(each.dataset.organ) & set(near.organ) and each.dataset.dimension == near.dimension
        ]
        if chance.random() < 0.6:
            alike = chance.sample(alike, min(len(alike), chance.randint(1, 4)))
            asked: dict[str, Any] = {"names": [each.name for each in alike]}
            if near.configs and chance.random() < 0.5:
                asked["names"].append(f"{near.name}/{chance.choice(near.config_names)}")
        else:
            asked = {"organ": some(near.organ, 2), "dimension": near.dimension}
        for kind, values in (("modality", near.modality), ("organ", near.organ), ("task", near.task)):
            if chance.random() < 0.25:
                asked[kind] = some(values, 2) if values else some(getattr(vocab, kind), 1)
        said = [names for each in alike for names in (*each.legend.values(), *each.labels.values())]
        labels = sorted({name for names in said for name in names})
        wider = sorted({up for name in labels for up in vocab.label.ancestors(name)} | set(labels)) or ["lung"]
        options: dict[str, Any] = {
            "targets": some(labels if labels and chance.random() < 0.7 else wider, 4),
            "dimension": chance.choice(("2d", "3d", near.dimension, near.dimension, near.dimension)),
            "license_terms": some([*TERMS, *licenses.known()[:6]], 2),
            "minimum": chance.choice((0, 10, 1000, 100_000)),
            "split": some(("train", "val", "test", "validation", "dev"), 2),
            "encoding": chance.choice(("index", "channels", "channels")),
            "on_duplicate": chance.choice(("drop", "keep", "error", "ignore")),
            "near": chance.choice((True, False)),
            "unlabeled": True,
            "weights": chance.choice(("uniform", "interleave", {"temperature": 2}, {"lits": 1.5})),
            "prefer": some(asked.get("names") or [near.name], 2),
            "grid": chance.choice(({"slices": "axial"}, {"spacing": [1, 1, 2.5], "orientation": "LPS"}, {"x": 1})),
            "source": chance.choice(("official", "miniature", "s3://bucket/copies")),
            "blueprint": chance.choice(blueprint.names()),
            "seed": 7,
        }
        often = {"targets": 0.7, "dimension": 0.3, "encoding": 0.6, "source": 0.3}
        for name, value in options.items():
            if chance.random() < often.get(name, 0.08):
                asked[name] = value
        kinds = [name for name in ("names", "organ", "targets", "task") if asked.get(name)]
        if kinds and chance.random() < 0.08:
            kind = chance.choice(kinds)
            asked[kind] = [misspelled(asked[kind][0]), *asked[kind][1:]]
        found.append(asked)
    return found


class Published:
    """`Manifests` of a Hub that is a dictionary."""

    held: dict[str, Manifest] | None

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.reachable = self.held is not None

    def get(self, name: str) -> Manifest | None:
        return (self.held or {}).get(name)


def expected(asked: dict[str, Any]) -> Any:
    try:
        made = fuse(**asked, plan=True)
    except MedimgError as error:
        return {"error": [type(error).__name__, str(error)]}
    return json.loads(made.to_json())


@pytest.fixture(params=["published", "nothing is known of the Hub"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Manifest] | None:
    """What the Hub holds, as `fuse` sees it."""
    found = manifests() if request.param == "published" else None
    monkeypatch.setattr(Published, "held", found, raising=False)
    monkeypatch.setattr("medimg.fusion.planning.Manifests", Published)
    return found


def differences(requests: list[dict[str, Any]], answers: list[Any]) -> list[str]:
    return [
        f"{asked}\n  python: {wanted}\n  page:   {got}"
        for asked, got in zip(requests, answers, strict=True)
        if (wanted := expected(asked)) != got
    ]


def by_node(script: str, given: Any) -> Any:
    """What a script of the site makes of a JSON value; `given` is its name there."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not here; the page in the browser is compared, too")
    run = subprocess.run(
        [node, "--input-type=module", "--eval", NODE.replace("SITE", SITE.as_uri()) + script],
        input=json.dumps(given, sort_keys=True),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def answers_of(requests: list[dict[str, Any]], held: dict[str, Manifest] | None) -> list[Any]:
    data = fusion_data(held)
    answers: list[Any] = by_node(f"answer({PLANNED});", {"data": data, "requests": requests})
    return answers


def test_the_port_plans_as_python_does(held: dict[str, Manifest] | None) -> None:
    requests = [*BY_HAND, *selections(80, seed=1)]
    answers = answers_of(requests, held)
    assert not differences(requests, answers)
    good = [each for each in answers if "error" not in each]
    assert len(good) > 20 and len(answers) - len(good) > 10, "both kinds are among them"


# ------------------------------------------------------------------------------- what is taken away of a plan

TAKEN = """
const planner = new Planner(given.data);
answer(given.requests.map((asked) => {
  const plan = planner.plan(asked);
  const state = states.paramsOf(new URLSearchParams("pick=lits&show=table"), asked);
  const rows = outputs.composition(plan, planner, () => ({ year: 2017 }));
  return {
    state: state.toString(),
    again: states.askedOf(new URLSearchParams(state.toString())),
    python: outputs.python(asked),
    command: outputs.command(asked),
    json: outputs.blueprintJson(plan),
    toml: outputs.blueprintToml(plan),
    csv: outputs.csv(rows),
    table: JSON.parse(outputs.compositionJson(rows, plan)),
    recipe: recipes.exported(plan.blueprint, planner).recipe,
  };
}));
"""
TAKEN_AWAY: tuple[dict[str, Any], ...] = (
    {
        "modality": ["CT"],
        "organ": ["liver"],
        "task": ["segmentation"],
        "targets": ["liver", "liver tumor"],
        "dimension": "3d",
        "minimum": 10,
        "split": ["train", "test"],
        "license_terms": ["adapt"],
        "source": "miniature",
    },
    {
        "names": ["msd-liver", "chaos"],
        "targets": ["liver"],
        "weights": {"msd-liver": 2, "chaos": 1.5},
        "prefer": ["chaos"],
        "encoding": "channels",
        "grid": {"slices": "axial", "spacing": [1, 1, 2.5], "orientation": "LPS", "window": [40, 400]},
        "near": False,
        "unlabeled": True,
        "seed": 3,
        "source": "official",
        "on_duplicate": "keep",
    },
    {"names": ["hc18"], "source": "miniature", "near": True, "weights": "interleave", "repeat": True},
)


@pytest.fixture(scope="module")
def taken() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = by_node(TAKEN, {"data": fusion_data(None), "requests": TAKEN_AWAY})
    return found


@pytest.mark.parametrize("number", range(len(TAKEN_AWAY)))
def test_what_is_taken_away_gives_the_same_plan(
    number: int, taken: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, made = TAKEN_AWAY[number], taken[number]
    wanted = expected(asked)
    assert made["again"] == asked and made["state"].startswith("pick=lits&show=table")
    code = made["python"].split("print(rows.plan)")[0].replace("rows = medimg.fuse(", "rows = medimg.fuse(plan=True,")
    names: dict[str, Any] = {}
    exec(code, names)
    assert json.loads(names["rows"].to_json()) == wanted
    words = shlex.split(made["command"].replace("\\\n", " "))
    assert words[:2] == ["medimg", "fuse"]
    shown = CliRunner().invoke(app(), [*words[1:], "--json"])
    assert json.loads(shown.stdout) == wanted
    (tmp_path / "a.json").write_text(made["json"], "utf-8")
    assert json.loads(fuse(blueprint=tmp_path / "a.json", plan=True).to_json()) == wanted
    (tmp_path / "a.toml").write_text(made["toml"], "utf-8")
    kept = json.loads(fuse(blueprint=tmp_path / "a.toml", plan=True).to_json())
    assert kept["blueprint"] == {**wanted["blueprint"], "blueprint": "a", "title": "A composition"}
    assert {**kept, "blueprint": None} == {**wanted, "blueprint": None}


def test_the_composition_table_has_a_line_for_each_member(taken: list[dict[str, Any]]) -> None:
    wanted, made = expected(TAKEN_AWAY[0]), taken[0]
    lines = list(csv.DictReader(made["csv"].splitlines()))
    members = wanted["index"]["members"]
    assert [each["dataset"] for each in lines] == list(members)
    for line in lines:
        splits = members[line["dataset"]]["splits"]
        assert line["images"] == str(sum(split["rows"] for split in splits))
        assert line["license"] == wanted["metadata_harmonization"]["members"][line["dataset"]]["license"]
    assert made["table"]["license"] == wanted["index"]["license"]
    assert [each["dataset"] for each in made["table"]["members"]] == list(members)


def test_no_cell_is_a_formula_and_no_text_leaves_its_place() -> None:
    hostile = [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "＝1",
        'a"b',
        "a,b",
        "a\r\n=b",
        "plain",
        -1,
    ]
    text = by_node("answer(outputs.csv(given.map((a) => ({ a, b: [a] })), ['a', 'b']));", hostile)
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert [row[0].removeprefix("'") for row in rows] == [str(each) for each in hostile]
    assert all(not re.match(r"\s*[=+\-@＝]", cell) for row in rows[:-1] for cell in row)


def test_texts_of_a_request_stay_texts_in_code_and_command() -> None:
    names = ["a'b", '"; import os #', "$(touch x)", "--push", "-x", "\u202eb", "\n", "\\", "é 肝"]
    asked = {"names": names, "targets": names, "source": "~/my copies"}
    python, command = by_node("answer([outputs.python(given), outputs.command(given)]);", asked)
    assert "\u202e" not in python
    (call,) = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Call) and node.keywords]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == asked
    words = shlex.split(command.replace("\\\n", " "))
    from typer.main import get_command

    fusing = get_command(app()).commands["fuse"]  # type: ignore[attr-defined]
    parsed = fusing.make_context("fuse", words[2:]).params
    assert (parsed["names"], parsed["target"], parsed["source"]) == (names, names, "~/my copies")


# ------------------------------------------------------------------------------------- recipes of Imaging-X

IMPORTED = """
const planner = new Planner(given.data);
answer(given.recipes.map((recipe) => recipes.imported(recipe, planner)));
"""


def test_a_recipe_of_imaging_x_is_read_line_by_line_and_nothing_is_lost_in_silence() -> None:
    recipe = {
        "dimension": "2D",
        "modalities": ["CT", "Fundus", "Xylography"],
        "task_types": "segmentation",
        "license_allowlist": ["CC BY 4.0", "Creative Commons Attribution 4.0 International", "custom"],
        "include_unlabeled": False,
        "prefer_labeled": True,
        "min_valid_image_n_per_dataset": 100,
        "anatomy_whitelist": ["Retina"],
        "release_date_min": "2020-01-01",
        "allow_3d_as_2d_sources": True,
        "selection": {"enable": True, "min_orgs_per_modality": 2, "storage_budget_gb": 10, "strange": 1},
        "strange": 2,
    }
    read, nothing = by_node(IMPORTED, {"data": fusion_data(None), "recipes": [recipe, {"modalities": None}]})
    assert read["asked"] == {
        "modality": ["CT", "fundus photography"],
        "organ": ["retina"],
        "license_terms": ["CC-BY-4.0", "CC-BY-4.0"],
        "minimum": 100,
        "grid": {"slices": "axial"},
    }
    told = [each["field"] for each in read["lines"]]
    assert {field.split(".")[0] for field in told} == set(recipe)
    lost = {each["field"]: each["becomes"] for each in read["lines"] if not each["taken"]}
    assert "closest ids" in lost["modalities"] and "no list" in lost["task_types"]
    assert {"license_allowlist", "release_date_min", "selection.strange", "strange"} <= set(lost)
    assert nothing["asked"] == {} and [each["taken"] for each in nothing["lines"]] == [True]


def test_a_request_goes_through_a_recipe_and_comes_back(taken: list[dict[str, Any]]) -> None:
    asked = TAKEN_AWAY[0]
    recipe = taken[0]["recipe"]
    assert set(recipe) == set(by_node("answer(recipes.CASE_STUDY);", None)), "its own fields, all of them"
    (read,) = by_node(IMPORTED, {"data": fusion_data(None), "recipes": [recipe]})
    for kind in ("modality", "organ", "task", "dimension", "minimum"):
        assert read["asked"][kind] == asked[kind]
    assert {each for each in licenses.known() if allowed(each, ["adapt"])} == set(read["asked"]["license_terms"])


# ---------------------------------------------------------------------------------------- in a real browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The composer's page of a portal that was built with these manifests."""
    browser = shutil.which("chromium")
    api = pytest.importorskip("playwright.sync_api")
    if browser is None:
        pytest.skip("there is no chromium")
    folder = tmp_path_factory.mktemp("portal")
    portal.build(folder, manifests=manifests())
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with api.sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = running.new_page(viewport={"width": 390, "height": 800})
            page.visits, page.problems = 0, []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.on("console", lambda said: page.problems.append(said.text) if said.type == "error" else None)
            page.address = f"http://127.0.0.1:{server.server_port}/"
            yield page
            running.close()
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fuse` sees the Hub that the portal was built from."""
    monkeypatch.setattr(Published, "held", manifests(), raising=False)
    monkeypatch.setattr("medimg.fusion.planning.Manifests", Published)


def shown(page: Any, query: str) -> str:
    """The text of the composer at an address."""
    page.evaluate("document.querySelector('#plan-title')?.remove()")
    page.visits += 1
    page.goto(f"{page.address}#/compose?{query}&visit={page.visits}")
    page.wait_for_selector("#plan-title")
    text: str = page.inner_text(".plan")
    return text


@pytest.mark.usefixtures("published")
def test_the_page_plans_as_python_does_for_random_selections(page: Any) -> None:
    requests = selections(20, seed=3)
    shown(page, "")
    answers = page.evaluate(
        "async (given) => {"
        "const { Planner } = await import('./plan.js');"
        f"given.data = await (await fetch('data/fusion.json')).json(); return {PLANNED}; }}",
        {"requests": requests},
    )
    assert not differences(requests, answers)
    assert len([each for each in answers if "error" not in each]) >= 5


@pytest.mark.usefixtures("published")
def test_a_composition_is_made_by_keyboard_on_a_phone(page: Any) -> None:
    assert "Add a dataset" in shown(page, "")
    for label, value in (("Modality", "CT"), ("Organ", "liver"), ("Targets, in order", "liver")):
        page.get_by_label(label, exact=True).and_(page.locator("input")).fill(value)
        page.keyboard.press("Enter")
    page.get_by_label("Dimension").select_option("3d")
    wanted = expected({"modality": "CT", "organ": "liver", "targets": "liver", "dimension": "3d"})
    members = wanted["index"]["members"]
    text = page.inner_text(".plan")
    assert members and all(key in text for key in members)
    assert all(warning in page.text_content(".plan") for warning in wanted["warnings"])
    assert all(each["reason"] in page.text_content(".plan") for each in wanted["metadata_harmonization"]["left_out"])
    assert all(reason in page.text_content(".plan") for reason in wanted["index"]["license"]["reasons"])
    assert f"{wanted['index']['rows']:,}" in text
    with_tabs = page.get_by_role("tab", name="Python")
    with_tabs.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    with page.expect_download() as got:
        page.get_by_role("button", name="Download composition.csv").click()
    lines = list(csv.DictReader(Path(got.value.path()).read_text("utf-8").splitlines()))
    assert [each["dataset"] for each in lines] == list(members)
    again = page.url
    page.goto("about:blank")
    page.goto(again)
    page.wait_for_selector("#tab-table[aria-selected=true]")
    assert page.inner_text(".plan") == text, "everything stands in the address"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.problems


@pytest.mark.usefixtures("published")
def test_an_error_says_the_next_step_and_what_cannot_be_planned_is_told(page: Any) -> None:
    wanted = expected({"names": ["lits"], "targets": ["left kidny"]})["error"][1]
    text = shown(page, "d=lits&target=left+kidny")
    assert "".join(text.split()) == "".join(f"Plan{wanted}".split())
    assert "no dataset" in shown(page, "d=no+such+set")
    hostile = "<img src=x onerror=alert(1)>"
    assert hostile in shown(page, f"d={quote(hostile)}") and page.locator(".plan img").count() == 0
    later = next(each for each in catalogue.entries() if each.loadable == "not yet" and "," not in each.id)
    good = next(name for name in manifests() if "error" not in expected({"names": [name]}))
    assert good in shown(page, f"d={good},{quote(later.id)}")
    assert "nobody has written a builder yet" in page.inner_text(".told")


@pytest.mark.usefixtures("published")
def test_the_case_study_of_imaging_x_is_a_preset(page: Any) -> None:
    shown(page, "")
    page.get_by_role("button", name="case study").click()
    page.wait_for_selector("#recipe-title")
    text = page.inner_text(".recipe")
    for paper in ("10", "1,173,965", "5", "681,025", "42", "280,311", "57", "2,135,301"):
        assert paper in text
    recipe = by_node("answer(recipes.CASE_STUDY);", None)
    (read,) = by_node(IMPORTED, {"data": fusion_data(None), "recipes": [recipe]})
    wanted = expected(read["asked"])
    assert all(key in page.inner_text(".plan") for key in wanted["index"]["members"])
    page.get_by_role("button", name="Take these by name").click()
    named = page.locator(".form .chips[aria-label='Add a dataset'] bdi").all_inner_texts()
    assert "error" not in expected({**read["asked"], "names": named})
    page.get_by_role("button", name="Start anew").click()
    page.get_by_text("Import", exact=True).first.click()
    page.get_by_label("Or its text").fill('{"names": ["chaos"], "target": ["liver"]}')
    page.get_by_role("button", name="Import", exact=True).click()
    assert '"target"' in page.get_by_role("alert").first.inner_text()
    page.get_by_label("Or its text").fill(fuse("hc18", source="miniature", plan=True).to_json())
    page.get_by_role("button", name="Import", exact=True).click()
    assert "d=hc18" in page.url and "source=miniature" in page.url and "Fetal" in page.inner_text(".plan")
    assert not page.problems
