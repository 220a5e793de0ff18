import {
  to = planton_secret_backend.aws
  identity = {
    organization = "acme"
    name         = "aws"
  }
}
