"""Talks to the endpoint of the environment as programs with boto3 do. Any failure ends it with a traceback."""

import io
import os
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

bucket = sys.argv[1]
s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"not refused with {code}")


# Put, get, head; checksums as boto3 sends them by itself.
keys = ["a", "a/b", "../x", "a b+c%2B", "日本語.png", "/lead", "A"]
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="image/png", Metadata={"k": "v"})
for key in keys:
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == key.encode(), key
    assert got["ContentType"] == "image/png" and got["Metadata"] == {"k": "v"}
assert s3.get_object(Bucket=bucket, Key="a/b", Range="bytes=1-")["Body"].read() == b"/b"
refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="nope")
refused("404", s3.head_object, Bucket=bucket, Key="nope")
refused("304", s3.get_object, Bucket=bucket, Key="a", IfNoneMatch=s3.head_object(Bucket=bucket, Key="a")["ETag"])
refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="a", Body=b"x", IfNoneMatch="*")
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    s3.put_object(Bucket=bucket, Key="sum", Body=b"123456789", ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")["Body"].read() == b"123456789"
refused("BadDigest", s3.put_object, Bucket=bucket, Key="sum", Body=b"x", ChecksumCRC32="AAAAAA==")

# Listings, which boto3 asks for with encoding-type=url.
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
assert [o["Key"] for page in pages for o in page["Contents"]] == sorted(keys + ["sum"], key=str.encode)
listed = s3.list_objects(Bucket=bucket, Delimiter="/", Prefix="a")
assert [p["Prefix"] for p in listed["CommonPrefixes"]] == ["a/"], listed
assert [o["Key"] for o in listed["Contents"]] == ["a", "a b+c%2B"], listed

# In parts.
large = bytes(range(256)) * 50_000
parts = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
s3.upload_fileobj(io.BytesIO(large), bucket, "large", Config=parts)
assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
back = io.BytesIO()
s3.download_fileobj(bucket, "large", back, Config=parts)
assert back.getvalue() == large

# Copy and delete.
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b+c%2B"})
assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"a b+c%2B"
deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}, {"Key": "nope"}]})
assert len(deleted["Deleted"]) == 2

# Presigned.
def send(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.read()


signed = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"))
url = signed.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "pre signed+ü"}, ExpiresIn=60)
assert send("PUT", url, b"picture")[0] == 200
url = signed.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "pre signed+ü"}, ExpiresIn=60)
assert send("GET", url) == (200, b"picture")
form = signed.generate_presigned_post(
    bucket, "form/${filename}", Conditions=[["content-length-range", 1, 100]], ExpiresIn=60
)
form["fields"]["key"] = "form/7.png"
lines = b""
for name, value in form["fields"].items():
    lines += f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
lines += b'--b\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\nform\r\n--b--\r\n'
status, _ = send("POST", form["url"], lines, {"Content-Type": "multipart/form-data; boundary=b"})
assert status == 204
assert s3.get_object(Bucket=bucket, Key="form/7.png")["Body"].read() == b"form"

# As boto3 signs URLs and forms unless it is told otherwise.
picture = {"Bucket": bucket, "Key": "by default+ü", "ContentType": "image/png"}
url = s3.generate_presigned_url("put_object", Params=picture, ExpiresIn=60)
assert send("PUT", url, b"picture", {"Content-Type": "image/png"})[0] == 200
url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "by default+ü"}, ExpiresIn=60)
assert send("GET", url) == (200, b"picture")
form = s3.generate_presigned_post(bucket, "form/8.png", Conditions=[["content-length-range", 1, 4]], ExpiresIn=60)
for file, allowed in ((b"form", True), (b"larger", False)):
    lines = b""
    for name, value in form["fields"].items():
        lines += f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    lines += b'--b\r\nContent-Disposition: form-data; name="file"; filename="8.png"\r\n\r\n' + file + b"\r\n--b--\r\n"
    try:
        answered = send("POST", form["url"], lines, {"Content-Type": "multipart/form-data; boundary=b"})[0]
        assert allowed and answered == 204, (file, answered)
    except urllib.error.HTTPError as error:
        assert not allowed and error.code == 400, (file, error.code, error.read())

# Versions.
s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
first = s3.put_object(Bucket=bucket, Key="v", Body=b"1")["VersionId"]
s3.put_object(Bucket=bucket, Key="v", Body=b"2")
assert s3.get_object(Bucket=bucket, Key="v", VersionId=first)["Body"].read() == b"1"
marker = s3.delete_object(Bucket=bucket, Key="v")
assert marker["DeleteMarker"] is True
refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="v")
s3.delete_object(Bucket=bucket, Key="v", VersionId=marker["VersionId"])
assert s3.get_object(Bucket=bucket, Key="v")["Body"].read() == b"2"

stranger = boto3.client(
    "s3",
    aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key="wrong",
    config=Config(s3={"addressing_style": "path"}),
)
refused("SignatureDoesNotMatch", stranger.get_object, Bucket=bucket, Key="a")
