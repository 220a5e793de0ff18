"""S3 in the front before moto.

moto stores the objects. It checks neither signatures nor permissions nor hashes, takes
keys and metadata of any length, and lets two concurrent writes with one ETag win. The
front serves one request at a time, and follows S3's API reference:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import base64
import hashlib
import re
import urllib.parse
from xml.sax.saxutils import escape

from moto.s3.models import FakeDeleteMarker, S3Backend, s3_backends

from moto_access import ACCOUNT, Refusal

# A proxy of the tests sets it for a store that ignores conditions.
UNCONDITIONAL = "x-front-unconditional"
MAX_KEY_BYTES = 1024
MAX_METADATA_BYTES = 2048
NO_PAYLOAD = ("UNSIGNED-PAYLOAD", "STREAMING-")
# The permission of each action that has another name.
PERMISSIONS = {
    "HeadObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjects": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetBucketLifecycle": "s3:GetLifecycleConfiguration",
}
# S3's names of the errors that the other services return.
CODES = {
    "MissingAuthenticationTokenException": ("AccessDenied", 403),
    "UnrecognizedClientException": ("InvalidAccessKeyId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "ExpiredTokenException": ("ExpiredToken", 400),
    "AccessDeniedException": ("AccessDenied", 403),
}
SUBRESOURCES = {
    "versioning": "BucketVersioning",
    "lifecycle": "BucketLifecycle",
    "object-lock": "ObjectLockConfiguration",
    "location": "BucketLocation",
    "tagging": "ObjectTagging",
}
VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}


def without_deleted(list_objects):
    """Corrects moto's listings, which keep the folders of deleted objects in a bucket with
    versions."""

    def listed(self, bucket, *arguments, **named):
        keys, folders, *rest = list_objects(self, bucket, *arguments, **named)
        live = [
            name
            for name, key in bucket.keys.items()
            if not isinstance(key, FakeDeleteMarker)
        ]
        folders = [
            folder for folder in folders if any(name.startswith(folder) for name in live)
        ]
        return (keys, folders, *rest)

    return listed


S3Backend.list_objects = without_deleted(S3Backend.list_objects)


def describe(call):
    """Returns the action and the object of a request with a path-style address."""
    path, _, query = call.target.partition("?")
    bucket, _, key = urllib.parse.unquote(path.lstrip("/")).partition("/")
    asked = urllib.parse.parse_qs(query, keep_blank_values=True)
    verb = VERBS.get(call.method, "-")
    for name, resource in SUBRESOURCES.items():
        if name in asked:
            return f"{verb}{resource}", f"{bucket}/{key}"
    if key:
        is_copy = call.method == "PUT" and "x-amz-copy-source" in call.headers
        return ("CopyObject" if is_copy else f"{verb}Object"), f"{bucket}/{key}"
    if call.method == "GET":
        listing = "ListObjectsV2" if asked.get("list-type") == ["2"] else "ListObjects"
        return ("ListObjectVersions" if "versions" in asked else listing), bucket
    if call.method == "PUT":
        return "CreateBucket", bucket
    return ("DeleteObjects" if "delete" in asked else f"{verb}Bucket"), bucket


def authorize(call, access):
    permission = PERMISSIONS.get(call.action, f"s3:{call.action}")
    if not access.allows(call, permission, f"arn:aws:s3:::{call.name}"):
        raise Refusal("AccessDenied", "Access Denied", 403)


def check(call):
    """Rejects requests that S3 rejects and moto accepts."""
    declared = call.headers.get("x-amz-content-sha256", "")
    digest = hashlib.sha256(call.body)
    if not declared.startswith(NO_PAYLOAD) and declared != digest.hexdigest():
        raise Refusal(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    checksum = call.headers.get("x-amz-checksum-sha256")
    if checksum is not None and checksum != base64.b64encode(digest.digest()).decode():
        raise Refusal(
            "BadDigest", "The SHA256 you specified did not match the calculated checksum."
        )
    key = call.name.partition("/")[2]
    if len(key.encode()) > MAX_KEY_BYTES:
        raise Refusal("KeyTooLongError", "Your key is too long")
    if call.action != "PutObject":
        return
    metadata = [
        (name.removeprefix("x-amz-meta-"), value)
        for name, value in call.headers.items()
        if name.startswith("x-amz-meta-")
    ]
    if sum(len(name) + len(value) for name, value in metadata) > MAX_METADATA_BYTES:
        raise Refusal(
            "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
        )
    match, none_match = call.headers.get("if-match"), call.headers.get("if-none-match")
    if none_match not in (None, "*") or (match and none_match):
        raise Refusal(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            501,
        )


def serve(call, access, forward):
    check(call)
    if call.headers.pop(UNCONDITIONAL, None):
        for condition in ("if-match", "if-none-match"):
            call.headers.pop(condition, None)
    status, headers, body = forward(call)
    # Without permission to list, S3 does not tell that a key is missing:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    bucket = call.name.partition("/")[0]
    may_list = access.allows(call, "s3:ListBucket", f"arn:aws:s3:::{bucket}")
    if status == 404 and call.action in ("GetObject", "HeadObject") and not may_list:
        raise Refusal("AccessDenied", "Access Denied", 403)
    return status, headers, body


def refused(call, error):
    code, status = CODES.get(error.code, (error.code, error.status))
    message = str(error)
    expected = re.fullmatch(r"Credential should be scoped to a valid region, not '(.*)'\. ", message)
    if expected:
        code, status = "AuthorizationHeaderMalformed", 400
        message = f"The authorization header is malformed; the region '{expected[1]}' is wrong"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        "<RequestId>front-request</RequestId></Error>"
    )
    return status, [("Content-Type", "application/xml")], body.encode()


def control(told, region):
    """Acts as the bucket's owner with the console."""
    backend, bucket = s3_backends[ACCOUNT]["aws"], told["bucket"]
    if told["do"] == "create":
        backend.create_bucket(bucket, region)
        if told.get("versioned"):
            backend.put_bucket_versioning(bucket, "Enabled")
    elif told["do"] == "list":
        objects = sorted(backend.get_bucket(bucket).keys.items())
        return [[key, base64.b64encode(object.value).decode()] for key, object in objects]
    elif told["do"] == "lifecycle":
        backend.put_bucket_lifecycle(bucket, told["rules"])
    elif told["do"] == "remove":
        backend.delete_object(bucket, told["key"])
    elif told["do"] == "overwrite":
        before = backend.get_object(bucket, told["key"])
        after = backend.put_object(bucket, told["key"], base64.b64decode(told["content"]))
        if told["keeps_metadata"]:
            after.set_metadata(before.metadata)
    else:
        raise KeyError(told["do"])
    return {}
