# By environment and name. The state contains no value.
terraform import planton_secret.database production/database

# Without an environment, if the provider has no default_environment.
terraform import planton_secret.session_key session-key

# By uuid, for example a secret whose name another one has taken over.
terraform import planton_secret.database id:0198c2f4-6d3a-7c51-9b1e-2f6d8a4c0b11
