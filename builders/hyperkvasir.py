"""HyperKvasir: images and videos of gastroscopy and colonoscopy at Bærum Hospital in Norway.

10,662 images with one of 23 classes, 1,000 images with outlined polyps, 99,417 images without labels, and 373
videos whose findings are told in free text.
"""

from medimg.builders import _hyperkvasir, _kvasir
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source

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
    labels=_hyperkvasir.LABELS,
    legend=POLYP,
    splits={"train": 10662},
    configs=(
        Config(name="labeled", title="Labeled images", task="classification", splits={"train": 10662}),
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


def rows(files):
    yield from _hyperkvasir.rows(files)


def miniature(make):
    _hyperkvasir.miniature(make)
