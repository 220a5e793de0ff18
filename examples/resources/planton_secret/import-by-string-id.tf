import {
  to = planton_secret.database
  id = "production/database"
}
