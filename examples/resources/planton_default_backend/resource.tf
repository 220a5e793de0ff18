resource "planton_secret_backend" "aws" {
  name = "aws"

  aws_secrets_manager = {
    region = "eu-central-1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Later secrets without a backend argument go there. Existing secrets stay where
# they are.
resource "planton_default_backend" "this" {
  backend = planton_secret_backend.aws.name
}

# A secret of the same apply needs depends_on, so that the default changes first.
resource "planton_secret" "session_key" {
  name             = "session-key"
  generate         = { length = 48 }
  value_wo_version = "1"

  depends_on = [planton_default_backend.this]
}
