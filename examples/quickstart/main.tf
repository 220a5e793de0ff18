terraform {
  required_version = ">= 1.11"

  required_providers {
    planton = {
      source = "plantonhq/planton"
    }
  }
}

provider "planton" {
  organization = "acme"

  # Without a platform, a directory on this machine serves. Three more lines run
  # the same configuration against an OpenBAO:
  #
  # openbao = {
  #   address = "https://openbao.example.com:8200"
  # }
}

# A value of your own. It is ephemeral: neither the plan nor the state holds it.
variable "database_password" {
  type      = string
  ephemeral = true
}

variable "rotation" {
  description = "Change this to write a new version of the password."
  type        = string
  default     = "1"
}

resource "planton_secret" "database" {
  name             = "database"
  description      = "The application's database password"
  labels           = { team = "payments" }
  value_wo         = var.database_password
  value_wo_version = var.rotation
}

# A value that nobody has to know.
resource "planton_secret" "session_key" {
  name = "session-key"

  generate = {
    length  = 48
    special = false
  }
}

# Several values in one secret.
resource "planton_secret" "smtp" {
  name        = "smtp"
  environment = "production"

  data_wo = {
    username = "mailer"
    password = var.database_password
  }
  value_wo_version = var.rotation
}

# Read just in time, for another resource's write-only argument. With the
# version, Terraform waits for one that is about to be written.
ephemeral "planton_secret" "database" {
  id      = planton_secret.database.id
  version = planton_secret.database.version
}

resource "planton_secret" "copy" {
  name             = "database-copy"
  value_wo         = ephemeral.planton_secret.database.value
  value_wo_version = planton_secret.database.revision
}

output "database_version" {
  value = planton_secret.database.version
}
