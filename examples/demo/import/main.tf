# Another workspace imports the secret. Its state contains no value.

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

variable "password_version" {
  description = "Trigger that the secret was last written with."
  type        = string
}

provider "planton" {
  organization = "demo"
  embedded     = { path = var.platform }
}

resource "planton_secret" "database_password" {
  name        = "database-password"
  environment = "prod"
  description = "The application's database password"

  value_wo_version = var.password_version
}

output "id" {
  value = planton_secret.database_password.id
}
