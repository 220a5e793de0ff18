resource "planton_secret" "token" {
  name             = "token"
  generate         = {}
  value_wo_version = "1"
}

# The computed id makes Terraform create the secret before it opens it. The
# version makes Terraform wait for a rotation in the same apply.
ephemeral "planton_secret" "token" {
  id      = planton_secret.token.id
  version = planton_secret.token.version
}

# The consumer's trigger is the revision, which grows with every rotation and
# every replacement.
resource "planton_secret" "header" {
  name             = "header"
  value_wo         = "Bearer ${ephemeral.planton_secret.token.value}"
  value_wo_version = planton_secret.token.revision
}
