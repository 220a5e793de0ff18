# { environment = "production", name = "database", key = null }
output "parts" {
  value = provider::planton::parse_secret_ref("$secret/@production/database")
}
