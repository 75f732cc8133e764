"""PathVQA: questions and answers about pictures of pathology textbooks and of the PEIR digital library.

The pictures are micrographs, gross specimens, drawings and clinical photographs; the pairs were made from their
captions, half of them with the answer yes or no.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup
from medimg.readers import safe_pickle
from medimg.schema import Row, Text

REPOSITORY = "UCSD-AI4H/PathVQA"
COPY = "https://huggingface.co/datasets/flaviagiammarino/path-vqa"
SPLITS = {"train": "train", "val": "validation", "test": "test"}

DATASET = Dataset(
    name="pathvqa",
    title="PathVQA",
    aliases=("Path-VQA",),
    dimension="2d",
    modality="histopathology",
    organ="multiple organs",
    task="VQA",
    license="LicenseRef-PathVQA",
    homepage=f"https://github.com/{REPOSITORY}",
    citation=Citation(
        title="PathVQA: 30000+ questions for medical visual question answering",
        authors="He X, Zhang Y, Mou L, Xing E, Xie P",
        venue="arXiv:2003.10286",
        year=2020,
        doi="10.48550/arXiv.2003.10286",
    ),
    sources=(
        Source(url="https://drive.google.com/drive/folders/1G2C2_FUCyYQKCkSeCRRiTTsLDvOAjFj5", kind="page"),
        Source(url=COPY, kind="page"),
    ),
    splits={"train": 2499, "validation": 1499, "test": 1000},
    no_subject="pictures of books and of a teaching library: no patients are named",
    keys="question; answer",
    evidence=Evidence(
        layout=f"{REPOSITORY}@dd51804 (loader); {COPY} (scripts/processing.py: images/<split>, "
        "qas/<split>/<split>_qa.pkl)",
        labels=f"{COPY} (each entry has image, question, answer)",
        license=f"{REPOSITORY}:README.md ('The copyrights of images and captions belong to the publishers and "
        "authors')",
        subject=f"{REPOSITORY}:README.md",
    ),
    notes=(
        "Counts differ between releases: 4,998 images with 32,799 pairs in the paper; the re-upload of 2023 has "
        "other numbers, and 19,654, 6,259 and 6,719 pairs once duplicates are removed.",
        "`texts` has each pair of an image once, without surrounding space, answers as text; `source` has the "
        "entries as they are.",
        "Not all pictures are micrographs; the source does not say which are.",
        "The MIT license of the repository covers its code; MIT tags on copies of the images have no basis.",
    ),
)


def row(case):
    entries = case.questions.get(case.name, [])
    pairs = dict.fromkeys((str(one["question"]).strip(), str(one["answer"]).strip()) for one in entries)
    return Row(
        id=case.name,
        split=SPLITS[case.part],
        image=case.image,
        texts=[Text(kind="vqa", question=question, answer=answer) for question, answer in pairs],
        source=[{key: cell for key, cell in one.items() if key != "image"} for one in entries] or None,
    )


def questions(files):
    """Part -> name of the image -> its questions."""
    found = {}
    for table, part in files.match(r"(?:^|/)(train|val|test)_qa\.pkl$"):
        asked = found.setdefault(part, {})
        for one in safe_pickle.value(table):
            asked.setdefault(one["image"], []).append(one)
    return found


rows = Join(
    r"images/(?P<part>train|val|test)/(?P<name>[^/]+)\.(?:jpe?g|png)$",
    row,
    questions=Lookup(questions, "part", skip="the questions of its part (its _qa.pkl) are not in this copy"),
)


def miniature(make):
    with make.zip("pvqa.zip") as inner:
        for part in SPLITS:
            pairs = [
                {"image": f"{part}_0000", "question": "what are stained here ? ", "answer": "the nuclei"},
                {"image": f"{part}_0000", "question": "are the nuclei stained?", "answer": "yes"},
                {"image": f"{part}_0000", "question": "are the nuclei stained?", "answer": " yes"},
                {"image": f"{part}_0001", "question": "how many layers are there?", "answer": 3},
            ]
            # The last picture has no question.
            for number in range(3):
                inner.image(f"pvqa/images/{part}/{part}_{number:04d}.jpg", (40, 32), mode="RGB")
            inner.bytes(f"pvqa/qas/{part}/{part}_qa.pkl", safe_pickle.dumps(pairs))
            inner.bytes(f"pvqa/qas/{part}/{part}_vqa.pkl", safe_pickle.dumps([{"img_id": f"{part}_0000"}]))
