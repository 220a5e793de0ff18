# Another workspace takes the secret over: no value comes into its state.

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

variable "password_version" {
  description = "As the secret's owner left it."
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
