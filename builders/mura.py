"""MURA: 40,561 radiographs of the upper limb, each study normal or abnormal.

Elbow, finger, forearm, hand, humerus, shoulder and wrist, of 12,173 patients at Stanford Hospital; radiologists
labeled the 14,863 studies as a whole.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, lines
from medimg.schema import Row

HOME = "https://stanfordmlgroup.github.io/competitions/mura/"
SPLITS = {"train": "train", "valid": "validation"}
CODES = {"0": "negative", "1": "positive"}
"""Labels of the tables -> of the folders."""

DATASET = Dataset(
    name="mura",
    title="MURA, musculoskeletal radiographs",
    aliases=("MURA-v1.1", "MURA-1.1"),
    dimension="2d",
    modality="X-ray",
    organ=("elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist"),
    task="classification",
    license="LicenseRef-Stanford-RUA",
    citation=Citation(
        title="MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs",
        authors="Rajpurkar P, Irvin J, Bagul A, et al.",
        venue="MIDL 2018",
        year=2018,
        doi="10.48550/arXiv.1712.06957",
    ),
    access="registration",
    how=f"Register at {HOME}, accept the agreement, download MURA-v1.1.zip and pass it: "
    'medimg.load("mura", source="~/MURA-v1.1.zip").',
    sources=(Source(url=HOME, kind="page"),),
    labels={"negative": "normal", "positive": "musculoskeletal abnormality"},
    splits={"train": 36808, "validation": 3197},
    subject="patient<number> of the path",
    keys="study; folder; train_labeled_studies.csv; valid_labeled_studies.csv",
    evidence=Evidence(
        layout="public copies of the four tables (paths, no header); "
        "openmedlab/Awesome-Medical-Dataset:resources/MURA.md@81da0eee; two public readmes that counted the files: "
        "36,808 images of 13,457 studies and 3,197 of 1,199 (with 207 test studies the 14,863 of arXiv:1712.06957)",
        labels="public copies of train_labeled_studies.csv (1 for study…_positive, 0 for study…_negative)",
        license=f"unverified: {HOME} asks for the Stanford University Dataset Research Use Agreement; its text was "
        "read with another set of Stanford",
        subject="arXiv:1712.06957; public copies of the tables",
    ),
    notes=(
        "The label is that of the study: an image of an abnormal study need not show the abnormality.",
        "The 207 studies of the test set are not public.",
        "An early version of the paper counts 40,895 images and 14,982 studies: not the numbers of MURA-v1.1.",
    ),
)


def row(case):
    source = {"folder": f"{case.number}_{case.kind}"}
    if case.line:
        if case.line.one_of("label", CODES) != case.kind:
            raise case.line.wrong("label", f"contradicts the folder, which says {case.kind}")
        source[case.line.file.rpartition("/")[2]] = case.line["label"]
    return Row(
        id=f"{case.part.lower()}-{case.patient}-{case.number}-{case.stem}",
        split=SPLITS[case.split],
        subject=case.patient,
        image=case.image,
        organ=(case.part.lower(),),
        classes=DATASET.labels[case.kind],
        assessed=DATASET.every_label,
        source=source,
        meta={"study": f"XR_{case.part}/{case.patient}/{case.number}"},
    )


rows = Join(
    r"(?:^|/)(?P<study>(?P<split>train|valid)/XR_(?P<part>[A-Z]+)/(?P<patient>patient\d+)/"
    r"(?P<number>study\d+)_(?P<kind>negative|positive))/image\d+\.png$",
    row,
    # The tables have no header; their paths begin with the folder of the release.
    line=lines(
        r"(?:^|/)(?:train|valid)_labeled_studies\.csv$",
        "study",
        key="study",
        named=lambda text: text.replace("\\", "/").strip("/").split("/", 1)[-1],
        header=False,
        columns=("study", "label"),
        lost="the labels of the studies, beside those of the folders, are",
        tell="no table in this copy has a line for its study: the label is that of the folder alone",
        rest="no image of its study is in this copy",
    ),
)


def miniature(make):
    # Tables have no header; a patient may have several studies, of several parts, with different labels.
    studies = {
        "train/XR_ELBOW/patient00011/study1_negative": 2,
        "train/XR_HAND/patient00011/study2_positive": 1,
        "train/XR_SHOULDER/patient00001/study1_positive": 3,
        "valid/XR_WRIST/patient11185/study1_positive": 1,
        "valid/XR_FINGER/patient11186/study1_negative": 1,
    }
    with make.zip("MURA-v1.1.zip") as inner:
        for split in SPLITS:
            mine = {study: count for study, count in studies.items() if study.startswith(split)}
            images = [f"{study}/image{n + 1}.png" for study, count in mine.items() for n in range(count)]
            for path in images:
                inner.image(f"MURA-v1.1/{path}", (38, 51))
            inner.csv(f"MURA-v1.1/{split}_image_paths.csv", None, [(f"MURA-v1.1/{path}",) for path in images])
            labeled = [(f"MURA-v1.1/{study}/", int(study.endswith("positive"))) for study in mine]
            inner.csv(f"MURA-v1.1/{split}_labeled_studies.csv", None, labeled)
