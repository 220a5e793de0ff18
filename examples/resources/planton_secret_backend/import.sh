# By name. The state contains no credential.
terraform import planton_secret_backend.aws aws
