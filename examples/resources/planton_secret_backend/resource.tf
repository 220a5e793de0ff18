# Uses AWS's default credential chain on the machine that runs Terraform.
resource "planton_secret_backend" "aws" {
  name        = "aws"
  description = "Secrets in our own account"

  aws_secrets_manager = {
    region = "eu-central-1"
  }

  # Creates a replacement before this backend is destroyed.
  lifecycle {
    create_before_destroy = true
  }
}

# Ephemeral, so it stays out of the plan and the state.
variable "openbao_token" {
  type      = string
  ephemeral = true
}

# Uses its own credential, which the catalog stores sealed.
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

# A secret with an explicit backend ignores the default.
resource "planton_secret" "database" {
  name             = "database"
  backend          = planton_secret_backend.aws.name
  generate         = {}
  value_wo_version = "1"
}
