"""Figures on the Imaging Data Commons: one CT series from S3 to an array, ours and what a notebook does today.

A bucket on this machine holds a phantom series under the address that the index has for it. After it was filled, it
answers every request after 30 ms, as S3 does over a network.
"""

from __future__ import annotations

import functools
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import Figure, See, Way, Ways

import medimg
from medimg.builders.idc import index
from medimg.phantom import Phantom

COLLECTION = "c4kc_kits"
SLICES, LATENCY = 40, 0.03


@functools.cache
def bucket(folder: Path) -> tuple[str, index.ListedSeries]:
    """The address of the S3 stand-in, and the series in it."""
    import boto3
    from moto.moto_server import werkzeug_app
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    one = next(each for each in index.series(index.parse(COLLECTION)) if each.modality == "CT")
    make = Phantom()
    make.dicom_series(
        "series", SLICES, (512, 512), patient=one.patient, names="{:04d}.dcm",
        tags={"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study},
    )  # fmt: skip
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    owner = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    holder, prefix = one.address.removeprefix("s3://").split("/")
    owner.create_bucket(Bucket=holder)
    for path, data in make.files.items():
        key = f"{prefix}/{path.rpartition('/')[2]}"
        owner.put_object(Bucket=holder, Key=key, Body=data, ACL="public-read")
    answer = werkzeug_app.DomainDispatcherApplication.__call__

    def slowly(self: Any, environ: Any, start_response: Any) -> Any:
        time.sleep(LATENCY)
        return answer(self, environ, start_response)

    werkzeug_app.DomainDispatcherApplication.__call__ = slowly
    return endpoint, one


def medimg_row(folder: Path) -> Way:
    """The first row."""

    def way(see: See) -> None:
        endpoint, one = bucket(folder)
        rows = medimg.load(
            f"idc/{COLLECTION}?series={one.uid}&drawings=none",
            source="official",
            split="train",
            streaming=True,
            storage_options={"endpoint_url": endpoint, "skip_instance_cache": True},
        )
        see(next(iter(rows))["image"].dataobj)

    return way


def s3fs_pydicom(folder: Path) -> Way:
    """List, open every object, read, sort by position, stack."""
    import numpy as np
    import pydicom
    import s3fs

    def way(see: See) -> None:
        endpoint, one = bucket(folder)
        holder = s3fs.S3FileSystem(anon=True, endpoint_url=endpoint, skip_instance_cache=True)
        slices = []
        for path in holder.ls(one.address):
            with holder.open(path, "rb") as file:
                slices.append(pydicom.dcmread(file))
        slices.sort(key=lambda each: each.ImagePositionPatient[2])
        stored = np.stack([each.pixel_array.T for each in slices], axis=-1)
        see(stored * slices[0].RescaleSlope + slices[0].RescaleIntercept)

    return way


def boto3_simpleitk(folder: Path) -> Way:
    """Download every object to a folder, read the series from there."""
    import boto3
    import botocore
    import SimpleITK
    from botocore.config import Config

    def way(see: See) -> None:
        endpoint, one = bucket(folder)
        unsigned = Config(signature_version=botocore.UNSIGNED)
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=unsigned)
        holder, prefix = one.address.removeprefix("s3://").split("/")
        with tempfile.TemporaryDirectory() as name:
            for entry in client.list_objects_v2(Bucket=holder, Prefix=f"{prefix}/")["Contents"]:
                client.download_file(holder, entry["Key"], str(Path(name) / entry["Key"].rpartition("/")[2]))
            reader = SimpleITK.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(name))
            see(SimpleITK.GetArrayFromImage(reader.Execute()).T)

    return way


def ways(other: Callable[[Path], Way], folder: Path) -> Ways:
    return medimg_row(folder), other(folder)


FIGURES = tuple(
    Figure(
        f"commons-{name}",
        f"a CT series of {SLICES} slices from S3, {LATENCY * 1000:.0f} ms a request: `medimg.load`",
        f"{words}, one object after the other",
        "speed",
        None,
        functools.partial(ways, other),
        needs=("moto", "boto3", "SimpleITK"),
    )
    for name, words, other in (
        ("s3fs", "s3fs and pydicom", s3fs_pydicom),
        ("boto3", "boto3 and SimpleITK", boto3_simpleitk),
    )
)
