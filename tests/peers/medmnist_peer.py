"""MedMNIST's own reader on our two MedMNIST miniatures: every sub-collection, every split.

The package is that of version 2. The files of version 1 have the same form; three of them have other names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from common import Case, Check, Workspace, patched

RENAMED = {
    "organmnist_axial": "organamnist",
    "organmnist_coronal": "organcmnist",
    "organmnist_sagittal": "organsmnist",
}
"""Name in version 1 -> in version 2."""
OTHER_WORDS = {
    "Leukocytes": "white blood cell",
    "normal, benign": "no malignancy",
    "0": "no diabetic retinopathy",
}
OTHER_WORDS |= {
    str(n): f"{word} diabetic retinopathy"
    for n, word in enumerate(
        ("mild nonproliferative", "moderate nonproliferative", "severe nonproliferative", "proliferative"), 1
    )
}
"""The peer's names that share no word with ours; RetinaMNIST's are grades."""


def _v2(files: Path, work: Workspace) -> list[Case]:
    """Counts and checksums that the peer knows are compared with our declaration too."""
    from medmnist import INFO

    from medimg.builders import medmnist_v2

    assert set(INFO) == {config.name for config in medmnist_v2.DATASET.configs}
    for config in medmnist_v2.DATASET.configs:
        declared = {part: config.splits[split] for part, split in _splits().items()}
        assert declared == INFO[config.name]["n_samples"], (config.name, declared)
        assert medmnist_v2.FILES[config.name][0] == INFO[config.name]["MD5"], config.name
    return _read(work, {name: name for name in INFO})


def _v1(files: Path, work: Workspace) -> list[Case]:
    from medimg.builders import medmnist_v1

    return _read(work, {name: RENAMED.get(name, name) for name in medmnist_v1.FILES})


def _read(work: Workspace, names: dict[str, str]) -> list[Case]:
    import medmnist

    root, cases = work.place(), []
    for name, known in names.items():
        about = medmnist.INFO[known]
        _same_names(known, about["label"])
        reader = getattr(medmnist, about["python_class"])
        with patched(medmnist.dataset, INFO=medmnist.INFO | {name: about}), patched(reader, flag=name):
            for part, split in _splits().items():
                data = reader(part, root=str(root))
                for index in range(len(data.imgs)):  # len(data) asserts the true count
                    image, target = data[index]
                    if known.endswith("3d"):  # 0 to 1, with a channel in front
                        image = np.rint(image[0] * 255).astype("uint8")
                    case = Case(f"{name}-{part}-{index}", image=np.asarray(image), label=target.tolist())
                    cases.append(replace(case, split=split))
    return cases


def _same_names(name: str, theirs: dict[str, str]) -> None:
    """The peer's name of each label number means what ours does: they share a word, and the side of the body."""
    from medimg.builders._medmnist import NAMES

    assert len(theirs) == len(NAMES[name]), name
    for number, ours in enumerate(NAMES[name]):
        their = OTHER_WORDS.get(theirs[str(number)], theirs[str(number)])
        stems = [{word[:5] for word in text.lower().replace("-", " ").split()} for text in (their, ours)]
        sides = [stem & {"left", "right"} for stem in stems]
        assert stems[0] & stems[1] and sides[0] == sides[1], (name, number, their, ours)


def _splits() -> dict[str, str]:
    from medimg.builders._medmnist import SPLITS

    return SPLITS


CHECKS = [
    Check(
        "medmnist-v1",
        "medmnist.dataset.MedMNIST",
        _v1,
        peer="medmnist",
        key=lambda row: row.name.split("/")[1],
        label=lambda row: row.label["source"],
        notes="Ten sub-collections, three splits each; the name of each label number is compared too.",
        patched="`flag`, for the three organ sets, whose files had other names in version 1.",
    ),
    Check(
        "medmnist-v2",
        "medmnist.dataset.MedMNIST",
        _v2,
        peer="medmnist",
        key=lambda row: row.name.split("/")[1],
        label=lambda row: row.label["source"],
        notes="18 sub-collections, three splits each; the peer's name of each label number, its 54 counts of images "
        "and its 18 checksums are compared with our declaration too.",
    ),
]
