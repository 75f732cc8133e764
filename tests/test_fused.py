"""Publishing a fused set: licenses first, one label space, one commit, and nothing twice."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import commands
import mlcroissant
import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest
from fault_proxy import FAULTS, FaultProxy
from pydantic import ValidationError
from typer.testing import CliRunner

import medimg
from medimg import layout, licenses, registry
from medimg.cards import human
from medimg.cards.readme import fused as card
from medimg.cards.readme.markdown import escape
from medimg.declaration import Evidence
from medimg.errors import HubError, LicenseError, MedimgError
from medimg.fusion.errors import FusionError
from medimg.fusion.request import CHOICES, Request
from medimg.hub_sync.commands import fusing
from medimg.hub_sync.commands.app import app
from medimg.hub_sync.commands.fuse import fuse as fuse_command
from medimg.hub_sync.fused.push import push
from medimg.hub_sync.fused.stored import missing, verify
from medimg.hub_sync.fused.stored import published as found_on
from medimg.hub_sync.fused.terms import RowTerms, check_terms
from medimg.hub_sync.hub.lfs import LargeFiles
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing import client
from medimg.hub_sync.pushing.client import Hub, MovedError
from medimg.hub_sync.sync import sync
from medimg.hub_sync.withdrawing.withdrawal import holders
from medimg.phantom import Phantom

TARGETS = ["liver", "liver tumor", "spleen"]
ABDOMEN: dict[str, Any] = {
    "names": ["msd-liver", "msd-spleen"],
    "modality": "CT",
    "task": "segmentation",
    "targets": TARGETS,
}
PHANTOMS = {**ABDOMEN, "source": "miniature"}

PLAIN = """
import json, sys, numpy as np
from datasets import get_dataset_config_names, load_dataset
seen = {}
for config in get_dataset_config_names(sys.argv[1]):
    for streaming in (True, False):
        for split, rows in load_dataset(sys.argv[1], config, streaming=streaming).items():
            found = {}
            for row in rows:
                mask = (row.get("fused") or {}).get("mask")
                if config != "metadata":
                    image = row["image"]
                    assert np.asarray(getattr(image, "dataobj", image)).size
                found[row["id"]] = None if mask is None else np.asarray(mask.dataobj).tolist()
            seen[f"{config}/{split}/{streaming}"] = found
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every large file that the server is sent from now on."""
    sizes: list[int] = []
    original = LargeFiles._upload

    def counted(self: Any, call: Any, action: str) -> tuple[str, int]:
        found = original(self, call, action)
        sizes.append(found[1])
        return found

    monkeypatch.setattr(LargeFiles, "_upload", counted)
    return sizes


@pytest.fixture(scope="module")
def published(server: EmbeddedHub) -> Hub:
    """The abdominal set and, beside it, its members."""
    hub = Hub(server.url, "set")
    sync(["msd-liver", "msd-spleen", "lits", "chaos"], hub, check=False)
    assert push("abdomen", PHANTOMS, hub).status == "published"
    return hub


def plain(server: EmbeddedHub, repo: str, cwd: Path) -> dict[str, dict[str, Any]]:
    """Everything of a repository as plain `datasets` reads it, in a neutral folder."""
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(cwd / "hf")}
    command = [sys.executable, "-c", PLAIN, repo]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return seen


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("medimg")), *arguments]
    environment = {**os.environ, "HF_HOME": str(cwd / "hf")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def manifest_of(hub: Hub, name: str) -> Any:
    manifest = found_on(hub, name)[1]
    assert manifest is not None
    return manifest


def first_scan(root: Path, name: str) -> Path:
    return sorted((root / name).rglob("imagesTr/[a-z]*.nii.gz"))[0]


def originals(root: Path) -> Path:
    """Phantoms as somebody's originals, with one scan of the liver set also in the spleen set, saved as float."""
    for name in ABDOMEN["names"]:
        registry.get(name).miniature(Phantom(root / name))
        for archive in (root / name).glob("*.tar"):
            with tarfile.open(archive) as packed:
                packed.extractall(root / name, filter="data")
            archive.unlink()
    liver, spleen = first_scan(root, "msd-liver"), first_scan(root, "msd-spleen")
    image: Any = nib.load(liver)  # type: ignore[attr-defined]
    labels = spleen.parents[1] / "labelsTr" / spleen.name
    mask: Any = nib.load(liver.parents[1] / "labelsTr" / liver.name)  # type: ignore[attr-defined]
    nib.save(nib.Nifti1Image(image.get_fdata(), image.affine), spleen)  # type: ignore[attr-defined]
    ones = (np.asarray(mask.dataobj) > 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(ones, image.affine), labels)  # type: ignore[attr-defined]
    return root


@pytest.mark.clients
def test_plain_datasets_reads_masks_in_the_label_space(server: EmbeddedHub, published: Hub, tmp_path: Path) -> None:
    seen = plain(server, "set/abdomen", tmp_path)
    configs = ("default", "metadata", "preview")
    assert set(seen) == {f"{config}/train/{streaming}" for config in configs for streaming in (True, False)}
    expected = {row["id"]: row["fused"]["mask"].get_fdata() for row in medimg.fuse(**PHANTOMS)}
    assert {id_.split("/")[0] for id_ in expected} == {"msd-liver", "msd-spleen"}
    for key, rows in seen.items():
        assert set(rows) == set(expected), key
        for id_, mask in rows.items():
            if not key.startswith("default"):
                assert mask is None
                continue
            assert np.array_equal(mask, expected[id_]), "what is published is what `fuse` gives"
            assert set(np.unique(mask)) <= {0, 1, 2, 3, 255}
    values = {value for mask in expected.values() for value in np.unique(mask)}
    assert {1, 2, 3, 255} <= values


def test_a_visitor_sees_pictures_and_machines_read_croissant(published: Hub, tmp_path: Path) -> None:
    state, manifest = found_on(published, "abdomen")
    assert manifest is not None
    assert list(manifest.assets) == [layout.CONTACT_SHEET_PATH] and layout.CONTACT_SHEET_PATH in state.files
    assert f"]({layout.CONTACT_SHEET_PATH})" in (state.card or "")
    root = Path(published.api.snapshot_download("set/abdomen", repo_type="dataset", local_dir=tmp_path))
    text = (root / layout.CROISSANT_PATH).read_text("utf-8")
    document = json.loads(text)
    assert document["isBasedOn"] and document["citeAs"].count("@article") == 2
    assert document["license"] == [licenses.get("CC-BY-SA-4.0").url]
    named = {each["@id"]: each.get("sha256") for each in document["distribution"]}
    assert {shard.path: shard.sha256 for shard in manifest.files}.items() <= named.items()
    checked = mlcroissant.Dataset(document, mapping={"repo": root})
    assert not checked.metadata.ctx.issues.errors
    ids = [row["metadata/id"].decode() for row in checked.records("metadata")]
    assert len(ids) == manifest.rows
    preview = list(checked.records("preview"))
    assert {row["preview/id"].decode() for row in preview} <= set(ids) and preview[0]["preview/image"].size[0] == 256


def test_files_are_stored_as_volumes_want_it(published: Hub, tmp_path: Path) -> None:
    files = published.api.snapshot_download("set/abdomen", repo_type="dataset", local_dir=tmp_path)
    data = pq.ParquetFile(next(Path(files).glob("data/*.parquet")))
    group = data.metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert columns["fused.mask.bytes"].compression == "ZSTD"
    assert not columns["fused.mask.bytes"].is_stats_set and columns["modality"].is_stats_set
    light = pq.ParquetFile(next(Path(files).glob("metadata/*.parquet"))).schema_arrow
    leaves = {column.path for column in pq.ParquetFile(next(Path(files).glob("metadata/*.parquet"))).schema}
    assert "provenance" in light.names and not [leaf for leaf in leaves if leaf.endswith(".bytes")]


def test_second_push_makes_no_commit(published: Hub, uploads: list[int]) -> None:
    before = found_on(published, "abdomen")[0].sha
    again = push("abdomen", PHANTOMS, published, check=False)
    assert (again.status, again.commits, again.uploaded_bytes) == ("unchanged", 0, 0)
    assert found_on(published, "abdomen")[0].sha == before and not uploads
    other = push("abdomen", {**PHANTOMS, "targets": ["liver", "spleen"]}, published, check=False)
    assert other.status == "published", "another label space is another set"
    assert push("abdomen", PHANTOMS, published, check=False).status == "published"


def test_shards_of_one_row_hold_the_same_set(server: EmbeddedHub, published: Hub, tmp_path: Path) -> None:
    push("small", PHANTOMS, published, shard_bytes=1, check=False)
    whole, small = manifest_of(published, "abdomen"), manifest_of(published, "small")
    assert len(small.configs["default"]["train"].shards) == small.rows == whole.rows
    assert verify(published, "small") == []
    assert plain(server, "set/small", tmp_path) == plain(server, "set/abdomen", tmp_path)


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["lits", "msd-liver"], ("lits (CC-BY-NC-ND-4.0)", "msd-liver (CC-BY-SA-4.0)")),
        (["chaos", "msd-liver"], ("chaos (CC-BY-NC-SA-4.0)", "msd-liver (CC-BY-SA-4.0)")),
    ],
)
def test_a_mix_that_no_license_allows_is_refused(
    server: EmbeddedHub, uploads: list[int], names: list[str], both: tuple[str, str]
) -> None:
    hub = Hub(server.url, "refused")
    with pytest.raises(LicenseError) as caught:
        push("liver", {**PHANTOMS, "names": names, "targets": ["liver"]}, hub)
    assert all(name in str(caught.value) for name in both)
    assert hub.published("liver").sha is None and not uploads


def test_no_derivatives_are_not_even_copied(server: EmbeddedHub, published: Hub) -> None:
    with pytest.raises(LicenseError, match=r"lits \(CC-BY-NC-ND-4\.0\)"):
        push("copies", {"names": ["lits", "msd-liver"], "source": "miniature"}, published, verbatim=True)
    assert published.published("copies").sha is None


def test_rows_with_licenses_of_their_own() -> None:
    terms = RowTerms(medimg.fuse(**PHANTOMS, plan=True))
    assert terms.take("msd-liver", "CC-BY-SA-4.0") and terms.take("msd-liver", "CC-BY-4.0")
    assert not terms.take("msd-spleen", "LicenseRef-unknown")
    with pytest.raises(LicenseError, match=r"msd-liver.*rows of msd-spleen: CC-BY-NC-4.0"):
        terms.take("msd-spleen", "CC-BY-NC-4.0")


COVID: dict[str, Any] = {
    "names": ["covid-chestxray/images", "chestx-ray14"],
    "targets": ["pneumonia"],
    "task": "classification",
    "source": "miniature",
}


def test_rows_with_licenses_of_their_own_are_pushed_where_these_allow_it(server: EmbeddedHub) -> None:
    hub = Hub(server.url, "by-row")
    done = push("chest", COVID, hub)
    manifest = manifest_of(hub, "chest")
    (covid,) = (member for member in manifest.members if member.name == "covid-chestxray")
    given = [row for row in medimg.fuse(**COVID) if row["dataset"] == "covid-chestxray"]
    allowed = [row for row in given if row["license"] != licenses.UNKNOWN]
    assert 0 < len(allowed) < len(given), "the miniature has rows of both kinds"
    assert sum(covid.rows.values()) == len(allowed) and covid.withheld == len(given) - len(allowed)
    under = {f"rows of covid-chestxray/images: {row['license']}": row["license"] for row in allowed}
    assert under.items() <= manifest.terms.members.items() and done.rows == manifest.rows
    assert manifest.terms.commercial is False, "one of the rows forbids it"
    assert push("chest", COVID, hub, check=False).status == "unchanged"


def test_rows_that_contradict_other_members_are_named_with_what_fits() -> None:
    plan = medimg.fuse(**COVID, plan=True)
    with pytest.raises(LicenseError, match=r"covid.*medimg fuse … --push NAME.*asks its rows one by one"):
        plan.to_push()
    assert check_terms(plan, verbatim=False).strictest == "LicenseRef-NIH-ChestXray14"
    rows = {"covid-chestxray/images": {"CC-BY-4.0": 5, "CC-BY-SA-4.0": 3, "CC-BY-NC-SA-4.0": 2, "CC-BY-ND-4.0": 1}}
    with pytest.raises(LicenseError) as caught:
        check_terms(plan, verbatim=False, rows=rows)
    text = str(caught.value)
    assert "rows of covid-chestxray/images: CC-BY-SA-4.0" in text
    assert "rows of covid-chestxray/images: CC-BY-NC-SA-4.0" in text
    advice = text.split("Next: ")[1]
    assert "--license LicenseRef-NIH-ChestXray14 --license CC-BY-4.0 --license CC-BY-SA-4.0 (" in advice
    fitting = re.findall("--license ([^ ]+)", advice)
    kept = {id: count for id, count in rows["covid-chestxray/images"].items() if id in fitting}
    terms = check_terms(plan, verbatim=False, rows={"covid-chestxray/images": kept})
    assert terms.share_alike == "CC-BY-SA-4.0", "what was advised works"
    none = {"covid-chestxray/images": {"CC-BY-ND-4.0": 4, licenses.UNKNOWN: 2}}
    with pytest.raises(LicenseError, match=r"no row of covid.*CC-BY-ND-4.0 \(4\).*leave the member out"):
        check_terms(plan, verbatim=False, rows=none)


def test_sets_that_hold_rows_of_a_withdrawn_member_are_shut_until_they_are_purged(
    server: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(server.url, "withdrawn")
    sync(["msd-liver", "msd-spleen", "lits"], hub, check=False)
    push("both", PHANTOMS, hub, check=False)
    spleens = {"names": ["msd-spleen"], "targets": ["spleen"], "source": "miniature"}
    push("spleens", spleens, hub, check=False)
    assert verify(hub, "both") == [] and not holders(hub, "msd-liver")
    place = ("--hub", server.url, "--namespace", "withdrawn")
    reason = ("--reason", "consent withdrawn")
    assert "fused sets" not in commands.medimg("retire", "lits", *place, *reason, cwd=tmp_path).stdout
    done = commands.medimg("retire", "msd-liver", *place, *reason, cwd=tmp_path)
    rows = sum(manifest_of(hub, "both").members[0].rows.values())
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert f"fused sets that hold copies of its rows, shut: both ({rows} rows now" in said
    assert "spleens" not in said and "push both again without it" in said and "medimg purge both" in said
    assert hub.gate_of("both") == "manual" and hub.gate_of("spleens") is False
    now, earlier = verify(hub, "both")
    assert now == f"{rows} rows are shown that may not be any more: msd-liver was retired"
    assert "one revision still holds" in earlier
    assert commands.medimg("purge", "both", *place, cwd=tmp_path).returncode == 1, "its present rows go first"
    push("both", {**spleens, "modality": "CT"}, hub, check=False)
    assert hub.gate_of("both") == "manual", "the revision before still holds them"
    (problem,) = verify(hub, "both")
    assert "still hold" in problem and "medimg purge both removes" in problem
    done = commands.medimg("verify", "both", *place, cwd=tmp_path)
    assert done.returncode == 1 and "medimg purge both" in " ".join(done.stdout.split())
    assert [holder.now for holder in holders(hub, "msd-liver")] == [{}]
    assert commands.medimg("purge", "both", *place, cwd=tmp_path).returncode == 0
    assert verify(hub, "both") == [] and not holders(hub, "msd-liver") and hub.gate_of("both") is False
    assert push("both", {**spleens, "modality": "CT"}, hub, check=False).status == "unchanged"

    builder = registry.get("msd-spleen")
    closed = builder.dataset.model_copy(update={"license": "LicenseRef-unknown"})
    monkeypatch.setattr(builder.module, "DATASET", closed)
    (result,) = sync(["msd-spleen"], hub, check=False)
    assert "both (" in result.reason and "spleens (" in result.reason and "medimg purge msd-spleen" in result.reason
    for name in ("both", "spleens"):
        assert "msd-spleen is under LicenseRef-unknown now" in verify(hub, name)[0]
        assert hub.gate_of(name) == "manual"
    done = commands.medimg("retire", "spleens", *place, *reason, "--purge", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "RETIRED" in (hub.published("spleens").card or "") and hub.gate_of("spleens") is False


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "x.git",
        "a..b",
        "-x",
        "A",
        "x y",
        "ü",
        "x\n",
        "$(id)",
        "lits",
        "lits17",
        "x" * 97,
    ],
)
def test_hostile_names_are_refused(published: Hub, name: str) -> None:
    with pytest.raises(FusionError, match=r"cannot be the name|is a dataset"):
        push(name, PHANTOMS, published)


def test_a_repository_of_somebody_else_stays(published: Hub) -> None:
    published.api.create_repo("set/mine", repo_type="dataset")
    published.api.upload_file(path_or_fileobj=b"a", path_in_repo="data/a.txt", repo_id="set/mine", repo_type="dataset")
    with pytest.raises(FusionError, match="something else"):
        push("mine", PHANTOMS, published)
    assert "data/a.txt" in published.published("mine").files


def test_phantoms_stay_where_they_are(server: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(server.url, "real")
    push("abdomen", {**ABDOMEN, "source": str(originals(tmp_path))}, hub, check=False)
    with pytest.raises(HubError, match="never replace"):
        push("abdomen", PHANTOMS, hub)
    monkeypatch.setattr(client, "_is_embedded", lambda endpoint: False)
    outside = Hub(server.url, "outside", token="x")
    with pytest.raises(HubError, match="embedded Hub only"):
        push("abdomen", PHANTOMS, outside)
    monkeypatch.setattr(Evidence, "unverified", property(lambda self: ("license",)))
    with pytest.raises(LicenseError, match="nobody has read the license of"):
        push("abdomen", {**ABDOMEN, "source": str(originals(tmp_path))}, outside)
    assert outside.published("abdomen").sha is None


def test_duplicates_are_dropped_and_told_and_no_path_is(server: EmbeddedHub, tmp_path: Path) -> None:
    root = originals(tmp_path / "secret-place")
    hub = Hub(server.url, "own")
    done = push("abdomen", {**ABDOMEN, "source": str(root)}, hub)
    state, manifest = found_on(hub, "abdomen")
    assert manifest is not None and manifest.origin == "source" and manifest.duplicates is not None
    assert sum(number for *_, number in manifest.duplicates.counts) == 1
    assert done.rows == sum(sum(member.rows.values()) for member in manifest.members)
    assert done.rows == len(list(medimg.fuse(**PHANTOMS))) - 1
    text = state.card or ""
    assert escape(manifest.duplicates.examples[0]) in text and "rows left out" in text
    assert "phantom" not in text
    files = hub.api.snapshot_download("own/abdomen", repo_type="dataset", local_dir=tmp_path / "read")
    for path in Path(files).rglob("*"):
        if path.is_file():
            assert b"secret-place" not in path.read_bytes(), path


def test_card_tells_what_it_is_made_of_and_how(published: Hub) -> None:
    state, manifest = found_on(published, "abdomen")
    assert manifest is not None
    text = state.card or ""
    assert "license: cc-by-sa-4.0" in text and "MINIATURE" in text
    for name in ABDOMEN["names"]:
        assert re.search(rf"^\| `{name}` .*CC-BY-SA-4\.0", text, re.MULTILINE)
        assert f"@article{{{name}," in text
    assert "| 2 | liver tumor |" in text and "| 255 | ignore" in text
    code = re.findall(r"^```python\n(import medimg.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    found: dict[str, Any] = {}
    exec(code, found)  # the card's own words
    again, asked = found["rows"].plan, manifest.plan["blueprint"]
    assert [member.key for member in again.members] == [member.key for member in manifest.members]
    assert list(again.targets) == asked["targets"]
    ids = {row["id"] for row in found["rows"]}
    assert len(ids) == manifest.rows


def test_call_of_a_blueprint_keeps_targets_that_nobody_has(published: Hub) -> None:
    wish = {"title": "Abdomen", "targets": ["liver", "pharynx"]}
    request = {"blueprint": wish, "names": ["msd-liver"], "task": "segmentation", "source": "miniature"}
    push("wish", request, published, check=False)
    made = medimg.fuse(**request, plan=True)
    found: dict[str, Any] = {}
    exec("import medimg\n" + card.call(manifest_of(published, "wish")), found)
    assert found["rows"].plan.targets == made.targets == ("liver", "pharynx")


@pytest.mark.clients
def test_pictures_of_sub_collections(server: EmbeddedHub, published: Hub, tmp_path: Path) -> None:
    """2-D, several configs of one dataset, channels, rows that hold classes alone."""
    names = ["medmnist-v2/pneumoniamnist", "medmnist-v2/bloodmnist", "dsb2018"]
    request = {"names": names, "targets": ["pneumonia", "cell nucleus"], "encoding": "channels"}
    done = push("pictures", {**request, "source": "miniature"}, published)
    seen = plain(server, "set/pictures", tmp_path)
    assert {key.split("/")[1] for key in seen} == set(manifest_of(published, "pictures").configs["default"])
    assert sum(len(rows) for key, rows in seen.items() if key.startswith("default") and "True" in key) == done.rows
    sync(["medmnist-v2"], published, check=False)
    copied = run(
        "fuse",
        *names[:2],
        "--verbatim",
        "--push",
        "mnist",
        "--hub",
        server.url,
        "--namespace",
        "set",
        cwd=tmp_path,
    )
    assert copied.returncode == 0, copied.stderr
    manifest = manifest_of(published, "mnist")
    assert set(manifest.configs) == {"medmnist-v2.pneumoniamnist", "medmnist-v2.bloodmnist"}


def test_terms_of_a_member_close_the_repository(server: EmbeddedHub) -> None:
    hub = Hub(server.url, "gated")
    done = push("chest", {"names": "rsna-pneumonia", "task": "detection", "source": "miniature"}, hub)
    assert done.publish == "gated"
    info = hub.api.repo_info("gated/chest", repo_type="dataset")
    assert info.gated and info.card_data is not None and info.card_data["extra_gated_prompt"]


def test_a_set_without_end_is_refused(published: Hub) -> None:
    with pytest.raises(FusionError, match="no end"):
        push("endless", {**PHANTOMS, "weights": "uniform", "repeat": True}, published)


def test_hand_written_text_stays(published: Hub) -> None:
    push("written", PHANTOMS, published, check=False)
    text = (found_on(published, "written")[0].card or "").replace(
        human.START + "\n", human.START + "\nWritten by hand.\n"
    )
    published.api.upload_file(
        path_or_fileobj=text.encode(), path_in_repo="README.md", repo_id="set/written", repo_type="dataset"
    )
    push("written", {**PHANTOMS, "seed": 1}, published, check=False)
    assert "\nWritten by hand.\n" in (found_on(published, "written")[0].card or "")


def test_collection_has_the_set_and_its_members(published: Hub) -> None:
    slug = push("abdomen", PHANTOMS, published, check=False).collection
    collection = published.api.get_collection(slug)
    assert {item.item_id for item in collection.items} == {"set/abdomen", "set/msd-liver", "set/msd-spleen"}


@pytest.mark.clients
def test_copies_move_no_byte(server: EmbeddedHub, published: Hub, uploads: list[int], tmp_path: Path) -> None:
    arguments = ("fuse", *ABDOMEN["names"], "--verbatim", "--push", "copies", "--hub", server.url)
    arguments += ("--namespace", "set")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    state, manifest = found_on(published, "copies")
    assert manifest is not None and not uploads, "no large file came through this machine"
    theirs = {digest for name in ABDOMEN["names"] for digest in published.published(name).files.values()}
    copied = {path: digest for path, digest in state.files.items() if path.endswith(".parquet")}
    assert copied and set(copied.values()) <= theirs
    assert {member.revision for member in manifest.members} == {
        published.published(name).sha for name in ABDOMEN["names"]
    }
    seen = plain(server, "set/copies", tmp_path)
    assert {key.split("/")[0] for key in seen} == {"default", "metadata", "preview", *ABDOMEN["names"]}
    shown = {id_ for name in ABDOMEN["names"] for split in ("train", "test") for id_ in seen[f"{name}/{split}/True"]}
    assert set(seen["preview/train/True"]) == shown, "the members' own previews"
    for split in ("train", "test"):
        joined = set(seen[f"default/{split}/True"])
        assert joined == set(seen[f"metadata/{split}/False"])
        assert joined == {id_ for name in ABDOMEN["names"] for id_ in seen[f"{name}/{split}/True"]}
    before = state.sha
    again = run(*arguments, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["status"] == "unchanged" and not uploads
    assert found_on(published, "copies")[0].sha == before


def test_copies_cannot_leave_rows_out(server: EmbeddedHub, tmp_path: Path) -> None:
    root = originals(tmp_path / "root")
    # The very same bytes, so that the content hash tells.
    shutil.copy(first_scan(root, "msd-liver"), first_scan(root, "msd-spleen"))
    hub = Hub(server.url, "twice")
    sync(ABDOMEN["names"], hub, root=str(root), check=False)
    arguments = ("fuse", *ABDOMEN["names"], "--verbatim", "--push", "copies", "--hub", server.url)
    arguments += ("--namespace", "twice")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 1 and "cannot leave them out" in done.stderr
    assert hub.published("copies").sha is None
    moved = first_scan(root, "msd-spleen")
    moved.rename(moved.parents[1] / "imagesTs" / moved.name)  # now it leaks: train there, test here
    (moved.parents[1] / "labelsTr" / moved.name).unlink()
    sync(["msd-spleen"], hub, root=str(root), check=False)
    done = run(*arguments, "--on-duplicate", "keep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "These rows are still here" in (found_on(hub, "copies")[0].card or "")


@pytest.mark.clients
def test_members_that_are_read_from_the_hub(server: EmbeddedHub, published: Hub, tmp_path: Path) -> None:
    options = [each for target in TARGETS for each in ("--target", target)]
    arguments = ("fuse", *ABDOMEN["names"], "--modality", "CT", "--task", "segmentation", *options)
    arguments += ("--hub", server.url, "--namespace", "set", "--push", "read")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(published, "read")
    assert manifest.origin == "miniature", "the members' rows are phantoms, wherever they are read from"
    assert all(member.revision and member.repo for member in manifest.members)
    assert manifest.rows == manifest_of(published, "abdomen").rows
    assert "unchanged" in run(*arguments, cwd=tmp_path).stdout


CHILD = """
import json, sys
import medimg
from tiny_datasets import QUICK
from medimg.hub_sync.fused.push import push
from medimg.hub_sync.pushing.client import Hub, MovedError
for line in sys.stdin:
    wish = json.loads(line)
    try:
        hub = Hub(wish["url"], wish["namespace"], patience=QUICK)
        if wish["only_read"]:
            medimg.fuse(**wish["request"], plan=True)
            medimg.fuse(**wish["request"]).report
            print(json.dumps({"status": "read"}), flush=True)
            continue
        done = push("a-set", wish["request"], hub, verbatim=wish["verbatim"], check=False, shard_bytes=1)
        answer = {"status": done.status, "rows": done.rows}
    except Exception as error:
        answer = {"status": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""


SPACES = [
    list(each)
    for count in (2, 3)
    for each in permutations(TARGETS, count)
    if "spleen" in each and list(each) not in (TARGETS, ["liver", "spleen"])  # of both members, and nobody else's
]
"""Label spaces that give other bytes each, and others than the rest of this file pushes to the same Hub."""


class Pusher:
    """A process that pushes through a proxy: members are read from the Hub of HF_ENDPOINT, which is fixed at import."""

    def __init__(self, server: EmbeddedHub, proxy: FaultProxy) -> None:
        self.server = server
        self.proxy = proxy
        environment = {**os.environ, "HF_ENDPOINT": proxy.url, "PYTHONPATH": str(Path(__file__).parent)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=pipe, stdout=pipe, env=environment, text=True
        )

    def __call__(
        self, namespace: str, *, verbatim: bool, number: int = 0, only_read: bool = False
    ) -> tuple[dict[str, Any], list[str]]:
        """The answer, and the kinds of requests that were made."""
        request: dict[str, Any] = {"names": ABDOMEN["names"], "namespace": "set"}
        if not verbatim:
            request |= {"targets": SPACES[number], "source": "miniature"}
        wish = {
            "url": self.proxy.url,
            "namespace": namespace,
            "request": request,
            "verbatim": verbatim,
            "only_read": only_read,
        }
        first = len(self.proxy.seen)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer, list(dict.fromkeys(seen.kind for seen in self.proxy.seen[first:]))


@pytest.fixture(scope="module")
def pusher(server: EmbeddedHub, published: Hub) -> Iterator[Pusher]:
    with FaultProxy(server.url) as proxy:
        made = Pusher(server, proxy)
        yield made
        made.process.communicate("")


@pytest.fixture(scope="module", params=[False, True], ids=["remapped", "verbatim"])
def kinds(request: pytest.FixtureRequest, pusher: Pusher) -> tuple[bool, list[str]]:
    """How to push, and the kinds of requests that it makes when nothing is there yet."""
    namespace = f"kinds-{request.param}"
    _, members = pusher(namespace, verbatim=request.param, only_read=True)
    answer, every = pusher(namespace, verbatim=request.param)
    assert answer["status"] == "published", answer
    # How members are read is no matter of the push.
    found = [kind for kind in every if kind not in members or "medimg-embedded-hub" in kind]
    expected = [
        "repos/create",
        "preupload/main",
        "/commit/main",
        "GET /api/datasets/*/refs",
        "/tree/",
        "/items",
    ]
    expected += ["lfs-files/duplicate", "paths-info"] if request.param else ["objects/batch", "PUT /lfs/object"]
    for part in expected:
        assert any(part in kind for kind in found), (part, found)
    return request.param, found


@pytest.mark.clients
@pytest.mark.parametrize("fault", FAULTS)
def test_a_push_over_a_bad_line(server: EmbeddedHub, pusher: Pusher, kinds: tuple[bool, list[str]], fault: str) -> None:
    verbatim, found = kinds
    namespace = f"fault-{verbatim}-{FAULTS.index(fault)}"
    number = FAULTS.index(fault) + 1
    waiting = pusher.proxy.arm(fault, *found)
    answer, _ = pusher(namespace, verbatim=verbatim, number=number)
    assert answer["status"] == "published", answer
    assert not waiting, "not every kind of request was made"
    pusher.proxy.choose = lambda seen: None
    hub = Hub(server.url, namespace)
    state, manifest = found_on(hub, "a-set")
    assert manifest is not None and not missing(manifest, state) and manifest.rows == answer["rows"]
    assert len(hub.api.list_repo_commits(f"{namespace}/a-set", repo_type="dataset")) == 2, "creation, and one commit"
    (collection,) = hub.api.list_collections(owner=namespace)
    assert {item.item_id for item in collection.items} == {
        f"{namespace}/a-set",
        "set/msd-liver",
        "set/msd-spleen",
    }
    assert pusher(namespace, verbatim=verbatim, number=number)[0]["status"] == "unchanged"


def test_nobody_overwrites_a_set_that_somebody_else_pushed_meanwhile(server: EmbeddedHub) -> None:
    hub = Hub(server.url, "race")
    request = {"names": ["msd-spleen"], "targets": ["spleen"], "source": "miniature"}
    theirs: list[Any] = []

    def meanwhile(rows: int, size: int) -> None:
        if not theirs:
            theirs.append(push("a-set", {**request, "seed": 1}, hub, check=False))

    with pytest.raises(MovedError, match="somebody else"):
        push("a-set", request, hub, check=False, on_row=meanwhile)
    assert theirs[0].status == "published"
    assert len(hub.api.list_repo_commits("race/a-set", repo_type="dataset")) == 2


def test_command_prints_plan_and_rows(tmp_path: Path) -> None:
    base = ("fuse", *ABDOMEN["names"], "--modality", "CT", "--target", "liver", "--target", "spleen")
    base += ("--source", "miniature")
    done = commands.medimg(*base, cwd=tmp_path)
    assert done.returncode == 0 and "Semantic alignment" in done.stdout
    whole = json.loads(commands.medimg(*base, "--json", cwd=tmp_path).stdout)
    assert list(whole["index"]["members"]) == ABDOMEN["names"]
    lines = commands.medimg(*base, "--limit", "2", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 2 and all("liver, ignore" in line for line in lines)
    rows = [
        json.loads(line) for line in commands.medimg(*base, "--limit", "9", "--json", cwd=tmp_path).stdout.splitlines()
    ]
    expected = [row["provenance"]["member"] for row in medimg.fuse(**PHANTOMS)]
    assert [row["member"] for row in rows] == expected == sorted(expected) and len(set(expected)) == 2
    assert not (tmp_path / "hub-store").exists(), "looking makes no store"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-thing"], "no-such-thing"),
        (["lits", "msd-liver", "--target", "liver", "--modality", "CT", "--push", "x", "--plan"], "lits (CC"),
        (["lits", "--target", "liver", "--encoding", "verbatim"], "--encoding takes index, channels"),
        (["lits", "--target", "liver", "--weights", "much"], "--weights 'much'"),
        (["msd-liver", "--push", "../x", "--plan"], "cannot be the name"),
        (["msd-liver", "--target", "liver", "--weights", "lits=1", "--limit", "1"], "lits"),
        (["msd-liver", "--grid", "spacng=1"], "do you mean 'spacing'"),
        (["msd-liver", "--grid", "slices=oblique"], "not 'oblique'"),
        (["msd-liver", "--grid", "slices"], "--grid 'slices' is not understood"),
        (["msd-liver", "--grid", "slices=axial", "--grid", "slices=0"], "--grid slices=… is given twice"),
    ],
)
def test_command_says_what_is_wrong(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = commands.medimg("fuse", *arguments, "--source", "miniature", cwd=tmp_path)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


def test_help_has_examples(tmp_path: Path) -> None:
    text = commands.medimg("fuse", "--help", cwd=tmp_path).stdout
    assert "Examples:" in text and "--push" in text


def test_what_can_be_asked_for_is_an_argument_of_fuse_and_an_option_of_the_command() -> None:
    named = {"title", "notes"}  # a blueprint's alone
    how = {"plan", "streaming", "storage_options"}  # not what the set is
    arguments = inspect.signature(medimg.fuse).parameters
    assert set(arguments) - how == set(Request.model_fields) - named
    for name, parameter in arguments.items():
        assert parameter.default is (None if name not in ("plan", "streaming") else name == "streaming")
        assert re.search(rf"^ +{name}: \S", medimg.fuse.__doc__, re.MULTILINE), f"nobody says what {name} is"
    options = inspect.signature(fuse_command, eval_str=True).parameters
    assert {fusing.SPELLED.get(name, name) for name in arguments} <= set(options)
    for name, choices in CHOICES.items():
        told = options[name].annotation.__metadata__[0].help
        assert all(choice in told for choice in choices), f"--{name} does not say what it takes"


def test_a_request_has_no_other_field_and_never_changes() -> None:
    asked = Request.of(names="lits", grid={"slices": "axial"})
    assert Request.of(asked.model_dump(mode="json", exclude_none=True)) == asked
    with pytest.raises(FusionError, match="encodng"):
        Request.of(encodng="index")
    with pytest.raises(ValidationError, match="frozen"):
        asked.seed = 3  # type: ignore[misc]


def test_options_of_the_command_reach_fuse(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def caught(**given: Any) -> None:
        seen.update(given)
        raise FusionError("seen")

    monkeypatch.setattr(medimg, "fuse", caught)
    typed = """lits chaos --modality CT --organ liver --task segmentation --target liver --dimension 3d
        --license adapt --split train --source miniature --weights temperature=2 --on-duplicate keep --no-near
        --prefer chaos --encoding channels --grid orientation=LPS --grid spacing=1,1,2.5 --grid window=40,400
        --grid slices=axial --grid empty=0.5 --minimum 5 --unlabeled --blueprint liver-ct --shuffle-buffer 8
        --seed 3 --repeat
        --storage-option anon=true --storage-option key=abc --namespace mine"""
    CliRunner().invoke(app(), ["fuse", *typed.split()])
    assert seen == {
        "names": ["lits", "chaos"],
        "modality": ["CT"],
        "organ": ["liver"],
        "task": ["segmentation"],
        "targets": ["liver"],
        "dimension": "3d",
        "license_terms": ["adapt"],
        "split": ["train"],
        "source": "miniature",
        "weights": {"temperature": 2.0},
        "on_duplicate": "keep",
        "prefer": ["chaos"],
        "near": False,
        "encoding": "channels",
        "grid": {
            "orientation": "LPS",
            "spacing": [1, 1, 2.5],
            "window": [40, 400],
            "slices": "axial",
            "empty": 0.5,
        },
        "minimum": 5,
        "unlabeled": True,
        "blueprint": "liver-ct",
        "shuffle_buffer": 8,
        "seed": 3,
        "repeat": True,
        "storage_options": {"anon": True, "key": "abc"},
        "namespace": "mine",
        "plan": True,
    }
    seen.clear()
    CliRunner().invoke(app(), ["fuse", "--blueprint", "liver-ct", "--source", "miniature"])
    assert set(seen) == {"blueprint", "source", "namespace", "plan"}, "what is not typed does not beat a blueprint"


def test_rows_on_a_grid_from_the_command(tmp_path: Path) -> None:
    base = ("fuse", "msd-spleen", "--target", "spleen", "--source", "miniature", "--limit", "3")
    done = commands.medimg(*base, "--grid", "slices=axial", "--grid", "empty=drop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all("/k00" in line and "present: spleen" in line for line in lines)
    stored = commands.medimg(*base, "--no-streaming", cwd=tmp_path)
    assert stored.returncode == 0, stored.stderr
    assert commands.medimg(*base, cwd=tmp_path).stdout == stored.stdout != ""


def test_weights_as_they_are_typed() -> None:
    assert fusing.weights("uniform") == "uniform"
    assert fusing.weights("temperature=2") == {"temperature": 2.0}
    assert fusing.weights("lits=2, chaos=0.5") == {"lits": 2.0, "chaos": 0.5}
    with pytest.raises(MedimgError, match="not understood"):
        fusing.weights("lits=2=3")


UNREACHABLE = """
import time, datasets, medimg
import medimg.fusion.fusing
from medimg.errors import HubError
asked = {"names": ["lits", "chaos"], "targets": ["liver"]}
for call in (
    lambda: medimg.fuse(**asked, plan=True),
    lambda: medimg.fuse(**asked),
    lambda: medimg.fuse(organ="liver", targets=["liver"], dimension="3d"),
    lambda: medimg.load("msd-liver", split="train", streaming=True),
):
    began = time.monotonic()
    try:
        call()
    except HubError as error:
        print(f"{time.monotonic() - began:.1f}", error)
"""


def test_a_hub_that_does_not_answer_is_told_in_seconds(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", UNREACHABLE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stderr
    for line in lines:
        assert float(line.split()[0]) < 10, line
        assert "http://127.0.0.1:9 does not answer" in line
        assert "Next: check the connection and HF_ENDPOINT; or pass source=" in line
