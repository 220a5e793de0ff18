resource "planton_secret" "token" {
  name             = "token"
  generate         = {}
  value_wo_version = "1"
}

# By the computed id: with a literal name it would be opened before it exists.
# With the version, Terraform waits for one that is about to be written.
ephemeral "planton_secret" "token" {
  id      = planton_secret.token.id
  version = planton_secret.token.version
}

# The consumer's own trigger follows the revision, which grows with every
# rotation and every replacement.
resource "planton_secret" "header" {
  name             = "header"
  value_wo         = "Bearer ${ephemeral.planton_secret.token.value}"
  value_wo_version = planton_secret.token.revision
}
