"""Signs claims as a JWT with ES256.

`new-key` creates the key pair and prints the public key. Any other call signs the
claims in its second argument.
"""

import base64
import json
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

KEY = "key.pem"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def new_key():
    key = ec.generate_private_key(ec.SECP256R1())
    with open(KEY, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    print(public.decode(), end="")


def sign(claims):
    with open(KEY, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    claims.setdefault("aud", "planton")
    now = int(time.time())
    claims.setdefault("iat", now)
    claims.setdefault("nbf", now - 60)
    claims.setdefault("exp", now + 600)
    header = {"alg": "ES256", "typ": "JWT"}
    signed = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    print((signed + b"." + signature).decode())


if sys.argv[1] == "new-key":
    new_key()
else:
    sign(json.loads(sys.argv[2]))
