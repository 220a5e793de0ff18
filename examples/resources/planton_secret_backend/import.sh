# By name; no credential comes into the state.
terraform import planton_secret_backend.aws aws
