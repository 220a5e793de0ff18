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

    # Login with a pipeline's signed token. Or token, token_file, approle, kubernetes.
    jwt = {
      role       = "planton-apply"
      token_file = "/var/run/secrets/pipeline/token"
    }
  }
}

# For trials and tests: a platform in a local folder.
provider "planton" {
  alias        = "local"
  organization = "acme"
  embedded     = {}
}
