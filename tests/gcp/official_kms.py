"""Wraps and unwraps with Google's own client of Cloud KMS, and opens an envelope with the
second implementation of the format. Prints the results as JSON."""

import json
import os
import sys

from google.cloud import kms
from google.oauth2.credentials import Credentials
from open_envelope import GcpKmsKek, Refused, open_with

with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)
token = os.environ["TOKEN"]
client = kms.KeyManagementServiceClient(
    credentials=Credentials(token=token),
    transport="rest",
    client_options={"api_endpoint": task["address"]},
)
name, binding = task["name"], bytes.fromhex(task["binding"])

# Ours, opened by theirs.
opened = client.decrypt(
    request={
        "name": name,
        "ciphertext": bytes.fromhex(task["wrapped"])[9:],
        "additional_authenticated_data": binding,
    }
)
# Theirs, to be opened by ours.
wrapped = client.encrypt(
    request={
        "name": name,
        "plaintext": bytes.fromhex(task["data_key"]),
        "additional_authenticated_data": binding,
    }
)
key = client.get_crypto_key(name=name)

# An envelope, with the token alone.
kek = GcpKmsKek(name, token, task["address"])
stored = bytes.fromhex(task["envelope"])
refused = False
try:
    open_with(kek, stored, task["context"] | {"version": 2})
except Refused:
    refused = True

print(
    json.dumps(
        {
            "opened": opened.plaintext.hex(),
            "used_primary": opened.used_primary,
            "ciphertext": wrapped.ciphertext.hex(),
            "version": int(wrapped.name.rpartition("/")[2]),
            "purpose": key.purpose.name,
            "primary": key.primary.state.name,
            "value": open_with(kek, stored, task["context"]),
            "other_version_refused": refused,
        }
    )
)
