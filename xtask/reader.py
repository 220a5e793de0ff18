"""Reads a secret backend with the vendor's official client, and changes it as a user
of the console would. Reads one request as JSON from the named file, and prints one
response."""

import base64
import json
import os
import sys


def aws(request):
    import boto3

    client = boto3.client(
        "secretsmanager",
        region_name=request["region"],
        endpoint_url=request["endpoint"],
        aws_access_key_id=request["key"],
        aws_secret_access_key=request["secret"],
    )
    if "plant" in request:
        client.create_secret(Name=request["plant"], SecretString=request["value"])
        return None
    if "remove" in request:
        client.delete_secret(
            SecretId=request["remove"], ForceDeleteWithoutRecovery=True
        )
        return None
    if "schedule" in request:
        client.delete_secret(SecretId=request["schedule"], RecoveryWindowInDays=7)
        return None
    if "overtake" in request:
        client.put_secret_value(
            SecretId=request["overtake"],
            SecretBinary=request["payload"].encode(),
            VersionStages=request["stages"] + ["AWSCURRENT"],
        )
        return None
    if "left" in request:
        pages = client.get_paginator("list_secrets").paginate(
            IncludePlannedDeletion=True
        )
        return [secret["Name"] for page in pages for secret in page["SecretList"]]
    if "put" in request:
        client.create_secret(
            Name=request["put"],
            Description=request["about"],
            SecretBinary=request["payload"].encode(),
        )
        return None
    objects = []
    # Tests share one account, so each one filters by its prefix.
    filters = [{"Key": "name", "Values": [request["prefix"]]}] if "prefix" in request else []
    for page in client.get_paginator("list_secrets").paginate(Filters=filters):
        for secret in page["SecretList"]:
            known = client.describe_secret(SecretId=secret["ARN"])
            payloads = []
            for version in known.get("VersionIdsToStages", {}):
                value = client.get_secret_value(
                    SecretId=secret["ARN"], VersionId=version
                )
                payload = value.get("SecretBinary") or value["SecretString"].encode()
                payloads.append(base64.b64encode(payload).decode())
            objects.append(
                {
                    "name": secret["Name"],
                    "about": [known.get("Description", "")]
                    + [f"{tag['Key']}={tag['Value']}" for tag in known.get("Tags", [])],
                    "payloads": payloads,
                }
            )
    return objects


def gcp(request):
    from google.api_core.client_options import ClientOptions
    from google.cloud import secretmanager
    from google.oauth2.credentials import Credentials

    client = secretmanager.SecretManagerServiceClient(
        credentials=Credentials(request["token"]),
        transport="rest",
        client_options=ClientOptions(api_endpoint=request["endpoint"]),
    )
    parent = f"projects/{request['project']}"
    if "plant" in request:
        client.create_secret(
            parent=parent,
            secret_id=request["plant"],
            secret={"replication": {"automatic": {}}},
        )
        client.add_secret_version(
            parent=f"{parent}/secrets/{request['plant']}",
            payload={"data": request["value"].encode()},
        )
        return None
    if "remove" in request:
        client.delete_secret(name=f"{parent}/secrets/{request['remove']}")
        return None
    if "left" in request:
        secrets = client.list_secrets(parent=parent)
        return [secret.name.rsplit("/", 1)[1] for secret in secrets]
    if "put" in request:
        client.create_secret(
            parent=parent,
            secret_id=request["put"],
            secret={
                "replication": {"automatic": {}},
                "annotations": {"about": request["about"]},
            },
        )
        client.add_secret_version(
            parent=f"{parent}/secrets/{request['put']}",
            payload={"data": request["payload"].encode()},
        )
        return None

    def path(name):
        # Responses contain the project's number in place of its id.
        return f"{parent}/{name.split('/', 2)[2]}"

    objects = []
    for secret in client.list_secrets(parent=parent):
        payloads = []
        for version in client.list_secret_versions(parent=path(secret.name)):
            if version.state.name == "ENABLED":
                name = path(version.name)
                data = client.access_secret_version(name=name).payload.data
                payloads.append(base64.b64encode(data).decode())
        about = [f"{key}={text}" for key, text in secret.labels.items()]
        about += [f"{key}={text}" for key, text in secret.annotations.items()]
        name = secret.name.rsplit("/", 1)[1]
        objects.append({"name": name, "about": about, "payloads": payloads})
    return objects


def azure(request):
    os.environ["REQUESTS_CA_BUNDLE"] = request["ca_file"]
    from azure.identity import ClientSecretCredential
    from azure.keyvault.secrets import SecretClient

    credential = ClientSecretCredential(
        request["tenant"],
        request["client"],
        request["secret"],
        authority=request["authority"],
        disable_instance_discovery=True,
    )
    client = SecretClient(
        request["vault"], credential, verify_challenge_resource=False
    )
    if "plant" in request:
        client.set_secret(request["plant"], request["value"])
        return None
    if "remove" in request:
        client.begin_delete_secret(request["remove"]).wait()
        return None
    if "recover" in request:
        client.begin_recover_deleted_secret(request["recover"]).wait()
        return None
    if "left" in request:
        here = client.list_properties_of_secrets()
        deleted = client.list_deleted_secrets()
        return [secret.name for secrets in (here, deleted) for secret in secrets]
    if "put" in request:
        client.set_secret(
            request["put"], request["payload"], tags={"about": request["about"]}
        )
        return None
    objects = []
    for secret in client.list_properties_of_secrets():
        payloads = []
        for version in client.list_properties_of_secret_versions(secret.name):
            if version.enabled:
                value = client.get_secret(secret.name, version.version).value
                payloads.append(base64.b64encode(value.encode()).decode())
        about = [f"{key}={text}" for key, text in (secret.tags or {}).items()]
        about.append(secret.content_type or "")
        objects.append({"name": secret.name, "about": about, "payloads": payloads})
    return objects


def kv(request):
    import hvac

    client = hvac.Client(
        url=request["address"],
        token=request["token"],
        namespace=request.get("namespace"),
    )
    kv, mount = client.secrets.kv.v2, request["mount"]

    def paths(folder):
        listed = kv.list_secrets(path=folder, mount_point=mount)["data"]["keys"]
        for key in listed:
            if key.endswith("/"):
                yield from paths(folder + key)
            else:
                yield folder + key

    objects = []
    for path in paths(""):
        known = kv.read_secret_metadata(path=path, mount_point=mount)["data"]
        payloads = []
        for version, state in known["versions"].items():
            if state["destroyed"] or state["deletion_time"]:
                continue
            read = kv.read_secret_version(
                path=path,
                version=int(version),
                mount_point=mount,
                raise_on_deleted_version=True,
            )
            data = read["data"]["data"]
            # Returns all fields if there are others besides the envelope.
            alone = set(data) == {"envelope"}
            text = data["envelope"] if alone else json.dumps(data)
            payloads.append(base64.b64encode(text.encode()).decode())
        custom = known.get("custom_metadata") or {}
        about = [f"{key}={text}" for key, text in custom.items()]
        objects.append({"name": path, "about": about, "payloads": payloads})
    return objects


def main():
    with open(sys.argv[1]) as source:
        request = json.load(source)
    reader = {"aws": aws, "gcp": gcp, "azure": azure, "kv": kv}[request["vendor"]]
    json.dump(reader(request), sys.stdout)


main()
