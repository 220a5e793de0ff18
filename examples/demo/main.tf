# The main job, once: store a password sealed, hand it to a consumer just in
# time, rotate it. Run by `cargo xtask demo`; the platform is a folder.

terraform {
  required_version = ">= 1.11"
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}

variable "platform" {
  description = "The folder of the embedded platform."
  type        = string
}

variable "password" {
  description = "Ephemeral: it is in no plan file and in no state."
  type        = string
  ephemeral   = true
}

variable "password_version" {
  description = "Raise it to rotate."
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

# By the computed id: with a literal name it would be opened before it exists.
# With the version, Terraform waits for one that is about to be written.
ephemeral "planton_secret" "database_password" {
  id      = planton_secret.database_password.id
  version = planton_secret.database_password.version
}

# A consumer with a write-only argument. Its trigger follows the revision, which
# grows with every rotation and every replacement.
resource "planton_secret" "database_url" {
  name        = "database-url"
  environment = "prod"

  value_wo         = "postgres://app:${ephemeral.planton_secret.database_password.value}@db/app"
  value_wo_version = planton_secret.database_password.revision
}

# Tells what was read, and not more than its digest.
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
