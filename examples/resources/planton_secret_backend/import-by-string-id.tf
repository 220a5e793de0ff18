import {
  to = planton_secret_backend.aws
  id = "aws"
}
