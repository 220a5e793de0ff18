//! The fields that a backend and a key of AWS have in common.

use crate::registration::Field;

pub(crate) const ACCESS_KEY_ID: Field = Field::text(
    "access_key_id",
    "Access key ID of a static credential. Requires `secret_access_key_wo`.",
);

pub(crate) const SECRET_ACCESS_KEY: Field = Field::credential(
    "secret_access_key_wo",
    "secret_access_key",
    "Secret access key of a static credential. Without it, the provider uses AWS's default \
     credential chain.",
);

pub(crate) const SESSION_TOKEN: Field = Field::credential(
    "session_token_wo",
    "session_token",
    "Session token of temporary credentials.",
);

pub(crate) const ASSUME_ROLE_ARN: Field = Field::text(
    "assume_role_arn",
    "ARN of an IAM role to assume with the static or ambient credentials.",
)
.example("arn:aws:iam::123456789012:role/example");

pub(crate) const EXTERNAL_ID: Field = Field::text(
    "external_id",
    "External ID to assume the role with. Requires `assume_role_arn`.",
);

pub(crate) const PROFILE: Field = Field::text(
    "profile",
    "Name of a profile in AWS's shared config and credentials files.",
);

pub(crate) const ENDPOINT: Field = Field::text(
    "endpoint",
    "URL of a private endpoint or of an emulator, to use instead of the Region's public \
     endpoint.",
)
.example("https://example.invalid");
