resource "planton_secret_backend" "aws" {
  name = "aws"

  aws_secrets_manager = {
    region = "eu-central-1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# From now on, secrets that name no backend go there. Those that exist stay
# where they are.
resource "planton_default_backend" "this" {
  backend = planton_secret_backend.aws.name
}

# depends_on makes a secret of the same apply wait for its new default.
resource "planton_secret" "session_key" {
  name             = "session-key"
  generate         = { length = 48 }
  value_wo_version = "1"

  depends_on = [planton_default_backend.this]
}
