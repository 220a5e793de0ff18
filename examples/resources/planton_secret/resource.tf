# Ephemeral, so it stays out of the plan and the state.
variable "database_password" {
  type      = string
  ephemeral = true
}

# A value of your own. Change value_wo_version to write a new version.
resource "planton_secret" "database" {
  name             = "database"
  environment      = "production"
  description      = "The application's database password"
  labels           = { team = "payments" }
  value_wo         = var.database_password
  value_wo_version = "1"

  deletion_protection = true
}

# Several values in one secret.
resource "planton_secret" "smtp" {
  name        = "smtp"
  environment = "production"

  data_wo = {
    username = "mailer"
    password = var.database_password
  }
  value_wo_version = "1"
}

# A value that the provider generates.
resource "planton_secret" "session_key" {
  name             = "session-key"
  value_wo_version = "1"

  generate = {
    length      = 48
    special     = false
    min_numeric = 4
  }
}
