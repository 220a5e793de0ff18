"""Prints everything that Google's own client reads from a project, as JSON."""

import json
import os
import sys

from google.api_core.exceptions import BadRequest
from google.cloud import secretmanager
from google.oauth2.credentials import Credentials

address, project = sys.argv[1:]
client = secretmanager.SecretManagerServiceClient(
    credentials=Credentials(token=os.environ["TOKEN"]),
    transport="rest",
    client_options={"api_endpoint": address},
)


def payload(version):
    try:
        return client.access_secret_version(name=path(version)).payload.data.decode()
    except BadRequest:
        return None


def path(version):
    # Responses contain the project's number in place of its id.
    return f"projects/{project}/" + version.name.split("/", 2)[2]


def seen(secret):
    parent = f"projects/{project}/" + secret.name.split("/", 2)[2]
    # One version per page, to exercise paging.
    versions = client.list_secret_versions(request={"parent": parent, "page_size": 1})
    return {
        "name": secret.name.rpartition("/")[2],
        "labels": dict(secret.labels),
        "annotations": list(secret.annotations),
        "versions": [
            {
                "number": int(version.name.rpartition("/")[2]),
                "state": version.state.name,
                "payload": payload(version),
            }
            for version in versions
        ],
    }


print(json.dumps([seen(secret) for secret in client.list_secrets(parent=f"projects/{project}")]))
