import {
  to = planton_default_backend.this
  id = "acme"
}
