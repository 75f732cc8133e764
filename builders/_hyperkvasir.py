"""HyperKvasir: classes of the labeled images, by the folders they lie in, rows, and the miniature."""

from medimg.builders import _kvasir
from medimg.readers import masks, tables, video
from medimg.schema import Row, Skipped, Text

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
STOMACH = ("pylorus", "retroflex-stomach")


def organ(group, name):
    """Where a class is seen."""
    if group.startswith("upper"):
        return "stomach" if name in STOMACH else "esophagus"
    return {"retroflex-rectum": "rectum", "hemorrhoids": "rectum", "ileum": "small bowel"}.get(name, "colon")


def rows(files):
    said = {}
    for table, name in files.match(
        r"(?:^|[/_])(image-labels|[25]_fold_split|video-labels|hyper-kvasir-video-metadata)\.csv$"
    ):
        for row in tables.rows(table):
            key = tables.file_name(row.get("Video file") or row["file-name"])
            said.setdefault(key.removesuffix(".jpg"), {})[name] = row
    for image, group, name in files.match(
        r"(?:^|/)labeled-images/(\w+-gi-tract/[\w-]+)/([\w-]+)/[^/]+\.jpg$"
    ):
        classes = GROUPS[group]
        yield Row(
            id=image.stem,
            config="labeled",
            image=image,
            organ=(organ(group, name),),
            classes=(classes[name],),
            assessed=tuple(classes.values()),
            source=f"{group}/{name}",
            meta=said.get(image.stem, {}),
        )
    for (image,) in files.match(r"(?:^|/)unlabeled-images/(?:.*/)?[^/]+\.jpg$"):
        yield Row(id=image.stem, config="unlabeled", image=image, assessed=())
    for clip, group in files.match(r"(?:^|/)labeled-videos/(?:(.+)/)?[^/]+\.(?:avi|mpg)$"):
        row = next(iter(said.get(clip.key, said.get(clip.stem, {})).values()), {})
        text = row.get("finding") or row.get("Finding")
        if not row:
            files.tell(clip, "no table in this copy has a line for it: its finding is not known")
        yield Row(
            id=clip.stem,
            config="videos",
            image=video.clip(clip),
            assessed=(),
            source={"folder": group, **row},
            texts=[Text(kind="caption", answer=text)] if text not in (None, "None") else (),
        )
    yield from _segmented(files)


def _segmented(files):
    table = files.find(r"(?:^|/)segmented-images/bounding-boxes\.json$")
    stated = tables.json_value(table) if table else {}
    drawn = files.index(r"(?:^|/)segmented-images/masks/([^/]+)\.jpg$")
    for image, name in files.match(r"(?:^|/)segmented-images/images/([^/]+)\.jpg$"):
        mask = drawn.pop(name, None)
        if mask is None:
            yield Skipped(file=image, reason="an image whose mask is not in this copy")
            continue
        with files.row(image):
            yield Row(
                id=name,
                config="segmented",
                image=image,
                mask=masks.threshold(mask),
                classes=("colon polyp",),
                assessed=("colon polyp",),
                **_kvasir.outlined(files, table, image, stated),
            )
    for mask in drawn.values():
        yield Skipped(file=mask, reason="a mask whose image is not in this copy")


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
        inner.csv(
            "labeled-images/image-labels.csv", ["Video file", "Organ", "Finding", "Classification"], listed
        )
        inner.text("labeled-images/license.txt", "CC BY 4.0")
    for number in (2, 5):
        header = ["file-name", "class-name", "split-index"]
        make.csv(f"official_splits/{number}_fold_split.csv", header, folds, delimiter=";")
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
