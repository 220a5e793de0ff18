terraform {
  required_version = ">= 1.11" # write-only arguments

  required_providers {
    planton = {
      source = "plantonhq/planton"
    }
  }
}

provider "planton" {
  organization        = "acme"
  default_environment = "production"

  openbao = {
    address = "https://openbao.example.com:8200"

    # A pipeline's signed token; or token, token_file, approle, kubernetes.
    jwt = {
      role       = "planton-apply"
      token_file = "/var/run/secrets/pipeline/token"
    }
  }
}

# For trying out, a folder on this machine does:
provider "planton" {
  alias        = "local"
  organization = "acme"
  embedded     = {}
}
