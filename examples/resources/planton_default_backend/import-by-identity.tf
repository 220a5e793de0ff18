import {
  to = planton_default_backend.this
  identity = {
    organization = "acme"
  }
}
