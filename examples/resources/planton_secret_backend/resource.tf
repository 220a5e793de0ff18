# Reached by whatever AWS's default chain finds where Terraform runs.
resource "planton_secret_backend" "aws" {
  name        = "aws"
  description = "Secrets in our own account"

  aws_secrets_manager = {
    region = "eu-central-1"
  }

  # So that a backend that takes this one's place comes first.
  lifecycle {
    create_before_destroy = true
  }
}

# Ephemeral: neither the plan nor the state holds it.
variable "openbao_token" {
  type      = string
  ephemeral = true
}

# Reached by a credential of its own, which is sealed and kept in the catalog.
resource "planton_secret_backend" "openbao" {
  name = "openbao"

  openbao = {
    address  = "https://openbao.example.com:8200"
    token_wo = var.openbao_token
  }
  credentials_wo_version = "1" # change it together with the token

  lifecycle {
    create_before_destroy = true
  }
}

# A secret that names its backend stays there.
resource "planton_secret" "database" {
  name             = "database"
  backend          = planton_secret_backend.aws.name
  generate         = {}
  value_wo_version = "1"
}
