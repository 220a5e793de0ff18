"""A certificate authority, and a server certificate for loopback."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def certificate(folder):
    """Creates an authority and a loopback certificate, and returns the certificate's
    files."""
    now = datetime.datetime.now(datetime.timezone.utc)
    days = datetime.timedelta(days=2)

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject, issuer, key, issuer_key, usage):
        ski = x509.SubjectKeyIdentifier.from_public_key
        aki = x509.AuthorityKeyIdentifier.from_issuer_public_key
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - days)
            .not_valid_after(now + days)
            .add_extension(ski(key.public_key()), False)
            .add_extension(aki(issuer_key.public_key()), False)
            .add_extension(usage, True)
        )

    def usage(**on):
        names = (
            "digital_signature content_commitment key_encipherment data_encipherment"
            " key_agreement key_cert_sign crl_sign encipher_only decipher_only"
        )
        return x509.KeyUsage(**{key: on.get(key, False) for key in names.split()})

    root = ec.generate_private_key(ec.SECP256R1())
    authority = (
        builder("fake authority", "fake authority", root, root, usage(key_cert_sign=True))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(root, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    ]
    leaf = (
        builder("fake vault", "fake authority", key, root, usage(digital_signature=True))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName(addresses), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8 = serialization.PrivateFormat.PKCS8
    files = {
        "ca.pem": authority.public_bytes(pem),
        "cert.pem": leaf.public_bytes(pem),
        "key.pem": key.private_bytes(pem, pkcs8, serialization.NoEncryption()),
    }
    for file, content in files.items():
        with open(os.path.join(folder, file), "wb") as out:
            out.write(content)
    return os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
