# Everything except the value, which would be stored in the state.
data "planton_secret" "database" {
  name        = "database"
  environment = "production"
}

output "database_version" {
  value = data.planton_secret.database.version
}
