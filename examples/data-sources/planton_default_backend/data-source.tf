data "planton_default_backend" "current" {}

output "default_backend" {
  value = data.planton_default_backend.current.backend
}
