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

  # Without a platform, the provider uses a local folder. These three lines switch
  # the same configuration to an OpenBAO server:
  #
  # openbao = {
  #   address = "https://openbao.example.com:8200"
  # }
}

# A value of your own. Ephemeral, so it stays out of the plan and the state.
variable "database_password" {
  type      = string
  ephemeral = true
}

variable "rotation" {
  description = "Trigger of a new version: change it to rotate the password."
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

# A value that the provider generates.
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

# Read during the apply, for another resource's write-only argument. The version
# makes Terraform wait for a rotation in the same apply.
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
