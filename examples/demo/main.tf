# Stores a sealed password, passes it to a consumer during the apply, and rotates
# it. `cargo xtask demo` runs this configuration on a platform in a local folder.

terraform {
  required_version = ">= 1.11"
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}

variable "platform" {
  description = "Path of the embedded platform's folder."
  type        = string
}

variable "password" {
  description = "Password to store. Ephemeral, so it stays out of plan files and state."
  type        = string
  ephemeral   = true
}

variable "password_version" {
  description = "Trigger of a new version: change it to rotate the password."
  type        = string
  default     = "1"
}

provider "planton" {
  organization = "demo"
  embedded     = { path = var.platform }
}

resource "planton_secret" "database_password" {
  name        = "database-password"
  environment = "prod"
  description = "The application's database password"

  value_wo         = var.password
  value_wo_version = var.password_version
}

# The computed id makes Terraform create the secret before it opens it. The
# version makes Terraform wait for a rotation in the same apply.
ephemeral "planton_secret" "database_password" {
  id      = planton_secret.database_password.id
  version = planton_secret.database_password.version
}

# A consumer with a write-only argument. Its trigger is the revision, which grows
# with every rotation and every replacement.
resource "planton_secret" "database_url" {
  name        = "database-url"
  environment = "prod"

  value_wo         = "postgres://app:${ephemeral.planton_secret.database_password.value}@db/app"
  value_wo_version = planton_secret.database_password.revision
}

# Opened to show its digest only.
ephemeral "planton_secret" "database_url" {
  id      = planton_secret.database_url.id
  version = planton_secret.database_url.version
}

resource "terraform_data" "read_back" {
  triggers_replace = planton_secret.database_url.revision

  provisioner "local-exec" {
    command = "printf %s \"$DIGEST\" > read-back.sha256"
    environment = {
      DIGEST = sha256(ephemeral.planton_secret.database_url.value)
    }
  }
}

output "version" {
  value = planton_secret.database_password.version
}

output "id" {
  value = planton_secret.database_password.id
}
