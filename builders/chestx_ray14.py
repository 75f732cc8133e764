"""ChestX-ray14 (NIH Clinical Center): frontal chest radiographs of 30,805 patients with up to fourteen findings each,
mined from the radiology reports, and boxes around eight of the findings in 880 images."""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.readers import tables
from medimg.schema import Box, Row, Skipped

BOX = "https://nihcc.box.com/shared/static"
ARCHIVES = (
    ("vfk49d74nhbxq3nqjg0900w5nvkorp5c", "fe8ed0a6961412fddcbb3603c11b3698"),
    ("i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", "ab07a2d7cbe6f65ddd97b4ed7bde10bf"),
    ("f1t00wrtdk94satdfb9olcolqx20z2jp", "2301d03bde4c246388bad3876965d574"),
    ("0aowwzs5lhjrceb3qp67ahp0rd1l1etg", "9f1b7f5aae01b13f4bc8e2c44a4b8ef6"),
    ("v5e3goj22zr6h8tzualxfsqlqaygfbsn", "1861f3cd0ef7734df8104f2b0309023b"),
    ("asi7ikud9jwnkrnkj99jnpfkjdes7l6l", "456b53a8b351afd92a35bc41444c58c8"),
    ("jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", "1075121ea20a137b87f290d6a4a5965e"),
    ("tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", "b61f34cec3aa69f295fbb593cbd9d443"),
    ("upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", "442a3caa61ae9b64e61c561294d1e183"),
    ("l6nilvfa9cg3s28tqv1qc1olm3gnz54p", "09ec81c4c31e32858ad8cf965c494b74"),
    ("hhq8fkdgvcari67vfhs7ppg2w6ni4jze", "499aefc67207a5a97692424cf5dbeed5"),
    ("ioqwiy20ihqwyr8pf4c24eazhh281pbu", "dc9fda1757c2de0032b63347a7d2895c"),
)
FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "pulmonary infiltrate",
    "Mass": "lung mass",
    "Nodule": "lung nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema",
    "Emphysema": "emphysema",
    "Fibrosis": "pulmonary fibrosis",
    "Pleural_Thickening": "pleural thickening",
    "Hernia": "hernia",
}

DATASET = Dataset(
    name="chestx-ray14",
    title="NIH ChestX-ray14",
    aliases=("ChestXray", "NIH Chest X-ray", "ChestX-ray8", "NIH-CXR14"),
    dimension="2d",
    modality="X-ray",
    organ=("chest", "lung", "heart"),
    task=("multi-label classification", "detection"),
    license="LicenseRef-NIH-ChestXray14",
    homepage="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    citation=Citation(
        title="ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks",
        authors="Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM",
        venue="CVPR",
        year=2017,
        doi="10.1109/CVPR.2017.369",
    ),
    sources=(
        *(
            Source(url=f"{BOX}/{key}.gz", path=f"images_{n:03d}.tar.gz", md5=md5)
            for n, (key, md5) in enumerate(ARCHIVES, 1)
        ),
        Source(url="https://nihcc.app.box.com/v/ChestXray-NIHCC", kind="page"),
    ),
    labels={**FINDINGS, "Infiltrate": "pulmonary infiltrate", "No Finding": ()},
    splits={"train": 86524, "test": 25596},
    subject="the first eight digits of the file name, which are the Patient ID",
    overlaps=(
        Overlap(
            dataset="rsna-pneumonia",
            relation="superset of",
            evidence="s3.amazonaws.com/east1.public.rsna.org/AI/2018/pneumonia-challenge-dataset-mappings_2018.json: "
            "30,000 images, 21,804 of the training and 8,196 of the test part",
        ),
        Overlap(
            dataset="siim-acr-pneumothorax",
            relation="superset of",
            evidence="stated by SIIM; no public list of images",
        ),
        Overlap(dataset="medmnist-v1", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py, ChestMNIST"),
        Overlap(dataset="medmnist-v2", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py, ChestMNIST"),
    ),
    evidence=Evidence(
        layout="mlmed/torchxrayvision:torchxrayvision/data/*.csv.gz@f4087a0b (tables read); archives and MD5 sums: "
        "sunlabuiuc/PyHealth:pyhealth/datasets/chestxray14.py; nihcc.box.com links also in "
        "apache/incubator-teaclave:examples/tvm/CheXNet-Keras/data/download.py",
        labels="mlmed/torchxrayvision:torchxrayvision/datasets.py@f4087a0b (NIH_Dataset); 15 values of Finding Labels",
        license="https://cloud.google.com/healthcare/docs/resources/public-datasets/nih-chest, quoting the NIH",
        subject="mlmed/torchxrayvision:torchxrayvision/data/Data_Entry_2017_v2020.csv.gz@f4087a0b (Patient ID)",
    ),
    notes=(
        "Findings were mined from reports by text processing; the authors estimate that over 90 % are right.",
        "Only 880 images have boxes; no box elsewhere says nothing.",
        "OriginalImagePixelSpacing is that of the radiograph before it was resized to 1024 x 1024 pixels; it is kept "
        "in meta, and `spacing` stays empty.",
        "The NIH asks users to link its download site, to cite the paper and to acknowledge the Clinical Center.",
    ),
)


def rows(files):
    entry = files.find(r"Data_Entry_2017_v2020\.csv$") or files.need(r"(?:Data_Entry_2017|sample_labels)\.csv$")
    header, entries, boxes = (), {}, {}
    for one in tables.rows(entry):
        header, cells = tuple(one), tuple(one.values())
        entries[cells[0]] = cells
    found = files.find(r"BBox_List_2017\.csv$")
    for one in tables.rows(found, pad=True) if found else ():
        name, *said = list(one.values())[:6]
        boxes.setdefault(name, []).append(said)
    lists = {part: files.find(rf"{part}_list(?:_NIH)?\.txt$") for part in ("train_val", "test")}
    parts = {name: part for part, file in lists.items() if file for name in tables.lines(file)}
    for image, name, patient in files.stream(r"((\d{8})_\d{3}\.png)$"):
        if name not in entries:
            yield Skipped(file=image, reason=f"not in {entry.name}: nothing is known about this image")
            continue
        said = dict(zip(header, entries[name], strict=True))
        findings = entries[name][1]
        drawn = boxes.get(name, [])
        yield Row(
            id=name.removesuffix(".png"),
            split="test" if parts.get(name) == "test" else "train",
            subject=patient,
            image=image,
            classes=[term for finding in findings.split("|") for term in DATASET.labels[finding]],
            assessed=tuple(FINDINGS.values()),
            boxes=[
                Box(name=DATASET.labels[finding][0], box=(x, y, x + w, y + h))
                for finding, x, y, w, h in ((one[0], *map(float, one[1:])) for one in drawn)
            ],
            source={"Finding Labels": findings} | ({"Bbox [x,y,w,h]": drawn} if drawn else {}),
            meta={key: value for key, value in said.items() if key not in header[:2]}
            | {"official_list": parts.get(name)},
        )


def miniature(make):
    images = {
        "images_001.tar.gz": ["00000001_000", "00000001_001", "00000002_000"],
        "images_002.tar.gz": ["00013118_008", "00014716_007"],
    }
    for archive, names in images.items():
        with make.tar(archive) as inner:
            for name in names:
                # A few files of the source have four channels.
                inner.image(f"images/{name}.png", (32, 32), mode="RGBA" if name == "00014716_007" else "L")
    header = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Sex"]
    header += ["View Position", "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"]
    same = ("PA", 2682, 2749, "0.14300000000000002", "0.14300000000000002")
    entries = [
        ("00000001_000.png", "Cardiomegaly", 0, 1, 57, "M", *same),
        ("00000001_001.png", "Cardiomegaly|Emphysema", 1, 1, 58, "M", *same),
        ("00000002_000.png", "No Finding", 0, 2, 80, "M", *same),
        ("00013118_008.png", "Atelectasis|Infiltration", 8, 13118, 69, "F", *same),
        ("00014716_007.png", "Atelectasis", 7, 14716, 45, "F", *same),
        ("00030805_000.png", "Pleural_Thickening", 0, 30805, 27, "M", *same),
    ]
    make.csv("Data_Entry_2017_v2020.csv", header, entries)
    boxes = [
        ("00013118_008.png", "Atelectasis", "7.084745762712", "17.019216763771", "2.7796610169491", "2.4"),
        ("00013118_008.png", "Infiltrate", "3", "4.5", "10", "12.25"),
        ("00014716_007.png", "Atelectasis", "21", "4.1", "5.8", "9.7"),
    ]
    make.csv("BBox_List_2017.csv", ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", ""], boxes)
    make.text("train_val_list.txt", "00000001_000.png\n00000001_001.png\n00000002_000.png")
    make.text("test_list.txt", "00013118_008.png\n00014716_007.png\n00030805_000.png")
