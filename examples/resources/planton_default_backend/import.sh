# The id is the organization, which has one default backend.
terraform import planton_default_backend.this acme
