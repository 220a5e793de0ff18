# Everything except the credentials.
data "planton_secret_backend" "aws" {
  name = "aws"
}

output "aws_region" {
  value = data.planton_secret_backend.aws.settings["region"]
}
