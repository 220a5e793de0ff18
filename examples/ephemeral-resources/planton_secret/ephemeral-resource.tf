resource "planton_secret" "token" {
  name             = "token"
  generate         = {}
  value_wo_version = "1"
}

# By the computed id: with a literal name it would be opened before it exists.
ephemeral "planton_secret" "token" {
  id = planton_secret.token.id
}

# The consumer's own trigger follows the version, or a rotation would never
# reach it.
resource "planton_secret" "header" {
  name             = "header"
  value_wo         = "Bearer ${ephemeral.planton_secret.token.value}"
  value_wo_version = planton_secret.token.version
}
