# $secret/@production/database/password
output "reference" {
  value = provider::planton::secret_ref("database", "production", "password")
}
