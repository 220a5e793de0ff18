import {
  to = planton_secret.database
  identity = {
    organization = "acme"
    environment  = "production"
    name         = "database"
  }
}
