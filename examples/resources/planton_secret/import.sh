# By environment and name. The state contains no value.
terraform import planton_secret.database production/database

# Without an environment, if the provider has no default_environment.
terraform import planton_secret.session_key session-key
