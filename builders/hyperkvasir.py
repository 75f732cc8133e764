"""HyperKvasir: images and videos of gastroscopy and colonoscopy at Bærum Hospital in Norway.

10,662 images with one of 23 classes, 1,000 images with outlined polyps, 99,417 images without labels, and 373
videos whose findings are told in free text.
"""

import re

from medimg.builders import _kvasir
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source
from medimg.join import Join, Lookup
from medimg.readers import tables, video
from medimg.schema import Row, Text

REPOSITORY = "simula/hyper-kvasir@5ae933b"
PAGE = f"{_kvasir.PAGES} (datasets/hyper-kvasir.md)"
COPY = "huggingface.co/datasets/sahilur/hyper-kvasir-labeled-images"
POLYP = {1: ("colon polyp",)}
ARCHIVES = {
    "labeled-images": "c603449b1bc0be86948b11d9aea8b2002058a11e6f5499e2a384b9ae9c8dbd3f",
    "segmented-images": "4463011f991dcdc74ec56399788b1a93822593f17ed18a662bdeb7392ffcdd9a",
    "unlabeled-images": None,
    "videos": None,
}
GROUPS = {
    "lower-gi-tract/anatomical-landmarks": {
        "cecum": "cecum",
        "ileum": "ileum",
        "retroflex-rectum": "retroflexed rectum",
    },
    "lower-gi-tract/pathological-findings": {
        "hemorrhoids": "hemorrhoids",
        "polyps": "colon polyp",
        "ulcerative-colitis-grade-0-1": "ulcerative colitis grade 0-1",
        "ulcerative-colitis-grade-1": "ulcerative colitis grade 1",
        "ulcerative-colitis-grade-1-2": "ulcerative colitis grade 1-2",
        "ulcerative-colitis-grade-2": "ulcerative colitis grade 2",
        "ulcerative-colitis-grade-2-3": "ulcerative colitis grade 2-3",
        "ulcerative-colitis-grade-3": "ulcerative colitis grade 3",
    },
    "lower-gi-tract/quality-of-mucosal-views": {
        "bbps-0-1": "bowel preparation 0-1",
        "bbps-2-3": "bowel preparation 2-3",
        "impacted-stool": "impacted stool",
    },
    "lower-gi-tract/therapeutic-interventions": {
        "dyed-lifted-polyps": "dyed lifted polyp",
        "dyed-resection-margins": "dyed resection margin",
    },
    "upper-gi-tract/anatomical-landmarks": {
        "pylorus": "pylorus",
        "retroflex-stomach": "retroflexed stomach",
        "z-line": "z-line",
    },
    "upper-gi-tract/pathological-findings": {
        "barretts": "Barrett's esophagus",
        "barretts-short-segment": "short-segment Barrett's esophagus",
        "esophagitis-a": "esophagitis grade A",
        "esophagitis-b-d": "esophagitis grade B-D",
    },
}
"""Folder of a group -> folder of a class -> canonical name."""
LABELS = {name: term for group in GROUPS.values() for name, term in group.items()}
SPELLED = {
    "cecum": "normal-cecum",
    "pylorus": "normal-pylorus",
    "z-line": "normal-z-line",
    "polyps": "polyp",
    "hemorrhoids": "hemorroids",
    "esophagitis-a": "oesophagitis-a",
    "esophagitis-b-d": "oesophagitis-b-d",
    "barretts-short-segment": "short-segment-barretts",
}
"""Classes that the official splits spell differently: for the miniature alone, as rows go by the file's name."""

DATASET = Dataset(
    name="hyperkvasir",
    title="HyperKvasir",
    aliases=("Hyper-Kvasir",),
    dimension="2d",
    modality="endoscopy",
    organ="gastrointestinal tract",
    task=("classification", "segmentation", "video classification"),
    license="CC-BY-4.0",
    homepage="https://datasets.simula.no/hyper-kvasir/",
    citation=Citation(
        title="HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal endoscopy",
        authors="Borgli H, Thambawita V, Smedsrud PH, et al.",
        venue="Scientific Data 7:283",
        year=2020,
        doi="10.1038/s41597-020-00622-y",
    ),
    sources=(
        *(
            Source(url=f"{_kvasir.HOST}/hyper-kvasir/hyper-kvasir-{name}.zip", sha256=sha256)
            for name, sha256 in ARCHIVES.items()
        ),
        Source(url="https://osf.io/mh9sj", kind="page"),
    ),
    labels=LABELS,
    legend=POLYP,
    splits={"train": 10662},
    configs=(
        Config(name="labeled", title="Labeled images", task="classification"),
        Config(
            name="segmented",
            title="Segmented polyps",
            organ="colon",
            task=("segmentation", "detection"),
            splits={"train": 1000},
        ),
        Config(name="unlabeled", title="Unlabeled images", task="classification", splits={"train": 99417}),
        Config(
            name="videos",
            title="Videos",
            dimension="video",
            task="video classification",
            splits={"train": 373},
        ),
    ),
    parts=(
        Part(config="segmented", legend=POLYP, names="colon polyp"),
        Part(config=("labeled", "videos")),
        Part(config="unlabeled", names=()),
    ),
    no_subject="patients are not published",
    overlaps=(
        Overlap(dataset="kvasir-seg", relation="superset of", evidence=f"{PAGE}: its segmented images"),
        Overlap(dataset="kvasir-v1", relation="shared images", evidence="unverified: collected there, too"),
        Overlap(dataset="kvasir-v2", relation="shared images", evidence="unverified: collected there, too"),
    ),
    keys=(
        "image-labels; Video file; Organ; Finding; Classification; 2_fold_split; file-name; "
        "class-name; split-index; 5_fold_split; folder; finding; width; height; number-of-frames; "
        "fps; length; kilobytes; bounding-boxes.json; bbox; label; xmin; ymin; xmax; ymax"
    ),
    evidence=Evidence(
        layout=f"{PAGE}; {REPOSITORY} (official_splits, video metadata); {COPY} (image-labels.csv)",
        labels=f"{PAGE} (folders are classes; in the JPEG masks white is polyp); {REPOSITORY}; that half brightness "
        "divides white from black is this builder's choice",
        license=f"{COPY} (license.txt of the archive); {REPOSITORY}: LICENSE.md (CC BY 4.0)",
        subject=f"{PAGE}: no word of patients",
    ),
    notes=(
        "An older README allows research and education only; license.txt, LICENSE.md and the page are CC BY 4.0.",
        "The segmented polyps are among the labeled ones, under the same names: do not count them twice.",
        "Classes hold from 6 images (hemorrhoids) to 1,148.",
        "Only the classes of an image's own group of folders count as looked for.",
        "The folds of official_splits, where the copy has them, are in `meta`. Findings of videos are captions.",
        *_kvasir.NOTES[1:3],
    ),
)


def organ(group, name):
    """Where a class is seen."""
    if group.startswith("upper"):
        return "stomach" if name in ("pylorus", "retroflex-stomach") else "esophagus"
    return {"retroflex-rectum": "rectum", "hemorrhoids": "rectum", "ileum": "small bowel"}.get(name, "colon")


def said(files):
    """Stem of an image or video -> table -> its line."""
    found = {}
    tables_of = r"(?:^|[/_])(image-labels|[25]_fold_split|video-labels|hyper-kvasir-video-metadata)\.csv$"
    for table, name in files.match(tables_of):
        for line in tables.rows(table):
            key = tables.file_name(line.get("Video file") or line["file-name"])
            found.setdefault(re.sub(r"\.(jpg|avi|mpg)$", "", key), {})[name] = line
    return found


def labeled(case):
    classes = GROUPS[case.group]
    return Row(
        id=case.stem,
        config="labeled",
        image=case.image,
        organ=(organ(case.group, case.name),),
        classes=(classes[case.name],),
        assessed=tuple(classes.values()),
        source=f"{case.group}/{case.name}",
        meta=case.said or {},
    )


def unlabeled(case):
    return Row(id=case.stem, config="unlabeled", image=case.image, assessed=())


def clip(case):
    line = next(iter(case.said.values())) if case.said else {}
    text = line.get("finding") or line.get("Finding")
    return Row(
        id=case.stem,
        config="videos",
        image=video.clip(case.image),
        assessed=(),
        source={"folder": case.group, **line},
        texts=[Text(kind="caption", answer=text)] if text not in (None, "None") else (),
    )


PARTS = (
    Join(
        r"(?:^|/)labeled-images/(?P<group>\w+-gi-tract/[\w-]+)/(?P<name>[\w-]+)/[^/]+\.jpg$",
        labeled,
        said=Lookup(said, key="stem"),
    ),
    Join(r"(?:^|/)unlabeled-images/(?:.*/)?[^/]+\.jpg$", unlabeled),
    Join(
        r"(?:^|/)labeled-videos/(?:(?P<group>.+)/)?[^/]+\.(?:avi|mpg)$",
        clip,
        said=Lookup(said, key="stem", tell="no table in this copy has a line for it: its finding is not known"),
    ),
    _kvasir.segmented(
        r"(?:^|/)segmented-images/", r"(?:^|/)segmented-images/bounding-boxes\.json$", config="segmented"
    ),
)


def rows(files):
    for part in PARTS:
        yield from part(files)


def miniature(make):
    # Tables of the repository are separated by ";"; names of classes differ between folders, tables and splits.
    folds, listed = [], []
    with make.zip("hyper-kvasir-labeled-images.zip") as inner:
        for n, (group, classes) in enumerate(GROUPS.items()):
            for name in [*list(classes)[:2], *(name for name in list(classes)[2:] if name in SPELLED)]:
                uuid = f"{len(listed):08x}-37e0-4e7b-8b0d-0e2a3c1d9f00"
                path = f"labeled-images/{group}/{name}/{uuid}.jpg"
                inner.image(path, (62, 53), mode="RGB", seed=name)
                tract, kind = group.split("/")
                listed.append((uuid, "Lower GI" if tract.startswith("lower") else "Upper GI", name, kind))
                folds.append((f"{uuid}.jpg", SPELLED.get(name, name), n % 2))
        inner.csv("labeled-images/image-labels.csv", "Video file,Organ,Finding,Classification", listed)
        inner.text("labeled-images/license.txt", "CC BY 4.0")
    for number in (2, 5):
        path = f"official_splits/{number}_fold_split.csv"
        make.csv(path, "file-name;class-name;split-index", folds, delimiter=";")
    with make.zip("hyper-kvasir-segmented-images.zip") as inner:
        name = next(name.removesuffix(".jpg") for name, kind, _ in folds if kind == "polyp")
        inner.image(f"segmented-images/images/{name}.jpg", (62, 53), mode="RGB", seed="polyps")
        inner.image(f"segmented-images/masks/{name}.jpg", (62, 53), mode="RGB", labels=(255,), quality=75)
        box = {"label": "polyp", "xmin": 8, "ymin": 5, "xmax": 54, "ymax": 48}
        inner.json("segmented-images/bounding-boxes.json", {name: {"height": 53, "width": 62, "bbox": [box]}})
    with make.zip("hyper-kvasir-unlabeled-images.zip") as inner:
        inner.image("unlabeled-images/images/000041b0-37e0-4e7b-8b0d-0e2a3c1d9f00.jpg", (40, 36), mode="RGB")
    # Names of videos may hold spaces; three are .mpg; findings are free text, with commas.
    videos = {
        "7e3731a7-51f6-4415-9038-41322f6e4746.avi": ("lower-gi-tract", "polyp resected", 20),
        "Polypp 5.avi": ("lower-gi-tract", "Polyp, NBI, propably cancer", 30),
        "05a868ca-4a74-49d6-8769-b0d62d828d95.mpg": ("upper-gi-tract", "None", 25),
    }
    table = [(name, text, 48, 40, 3, fps, 1, 9) for name, (_, text, fps) in videos.items()]
    header = ["file-name", "finding", "width", "height", "number-of-frames", "fps", "length", "kilobytes"]
    with make.zip("hyper-kvasir-videos.zip") as inner:
        inner.csv("labeled-videos/video-labels.csv", header, table, delimiter=";")
        for name, (tract, _, fps) in videos.items():
            path = f"labeled-videos/{tract}/pathological-findings/polyps/{name}"
            inner.video(path.replace(".mpg", ".avi"), 3, (48, 40), fps=fps)
            if name.endswith(".mpg"):
                inner.bytes(path, inner.files.pop(path.replace(".mpg", ".avi")))
