"""Wraps and unwraps with Azure's own client of keys, and opens an envelope with the second
implementation of the format. Prints the results as JSON."""

import json
import sys

from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm
from open_envelope import AzureKeyVaultKek, Refused, open_with

with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)
credential = ClientSecretCredential(
    task["tenant_id"],
    task["client_id"],
    task["client_secret"],
    authority=task["vault_url"],
    disable_instance_discovery=True,
)
keys = KeyClient(task["vault_url"], credential, verify_challenge_resource=False)
key = keys.get_key(task["key"])
client = CryptographyClient(task["kek_id"], credential, verify_challenge_resource=False)
algorithm = KeyWrapAlgorithm.rsa_oaep_256

# Ours, opened by theirs; and theirs, to be opened by ours.
opened = client.unwrap_key(algorithm, bytes.fromhex(task["wrapped"]))
wrapped = client.wrap_key(algorithm, bytes.fromhex(task["bound"]))

# An envelope, with a token alone.
token = credential.get_token("https://vault.azure.net/.default").token
kek = AzureKeyVaultKek(task["kek_id"], token, task["ca_file"])
stored = bytes.fromhex(task["envelope"])
refused = False
try:
    open_with(kek, stored, task["context"] | {"version": 2})
except Refused:
    refused = True

print(
    json.dumps(
        {
            "id": key.id,
            "type": key.key_type,
            "opened": opened.key.hex(),
            "wrapped": wrapped.encrypted_key.hex(),
            "value": open_with(kek, stored, task["context"]),
            "other_version_refused": refused,
        }
    )
)
