# By the organization: it has one default backend.
terraform import planton_default_backend.this acme
