"""Read published repositories back through plain `datasets`. Runs on its own: imports nothing of medimg.

Usage: HF_ENDPOINT=<hub> python readback.py < request.json > report.json

Request: {"repos": {"<namespace>/<name>": {"revision": sha, "deep": false}}}.
Report: repo -> {"configs": {config: {split: {"rows": n, "ids": [...], "contents": [...], "decoded": k}}}, "error": ...}
"""

import json
import sys


def check(repo, revision, deep, sample=3):
    """Load every config of one repository, streaming, and decode the first rows."""
    from datasets import get_dataset_config_names, load_dataset

    report = {}
    for config in get_dataset_config_names(repo, revision=revision):
        splits = load_dataset(repo, config, streaming=True, revision=revision)
        report[config] = {}
        for split, rows in splits.items():
            found = {"rows": 0, "ids": [], "contents": [], "decoded": 0, "features": str(rows.features)}
            rows = undecoded(rows)
            if config == "metadata":
                for row in rows:
                    found["rows"] += 1
                    found["ids"].append(row["id"])
                    found["contents"].append(row["content"])
            else:
                for row in rows if deep else rows.take(sample):
                    found["rows"] += 1
                    found["ids"].append(row["id"])
                    found["decoded"] += touch(row)
            report[config][split] = found
    return report


def undecoded(rows):
    """Videos as bytes: decoding them needs torchcodec, which few readers have."""
    from datasets import Video

    for column, feature in (rows.features or {}).items():
        if isinstance(feature, Video):
            rows = rows.cast_column(column, Video(decode=False))
    return rows


def touch(row):
    """Decode the pixels of a row; returns the number of images decoded."""
    images = [row.get("image"), (row.get("label") or {}).get("mask"), (row.get("label") or {}).get("target")]
    count = 0
    for image in images:
        if image is not None:
            size = len(image["bytes"]) if isinstance(image, dict) else pixels(image).size
            if size == 0:
                raise ValueError(f"{row['id']}: an image without pixels")
            count += 1
    return count


def pixels(image):
    """The array of a picture or a volume."""
    import numpy as np

    return np.asarray(image.dataobj if hasattr(image, "dataobj") else image)


def main():
    """Read the request, write the report."""
    import datasets

    datasets.disable_progress_bars()
    request = json.load(sys.stdin)
    report = {}
    for repo, wish in request["repos"].items():
        try:
            report[repo] = {"configs": check(repo, wish.get("revision"), wish.get("deep", False))}
        except Exception as error:  # every failure is the answer that is asked for
            report[repo] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
