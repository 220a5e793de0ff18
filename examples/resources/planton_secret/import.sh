# By name and by environment; no value comes into the state.
terraform import planton_secret.database production/database

# Of organization scope, where the provider has no default_environment.
terraform import planton_secret.session_key session-key
