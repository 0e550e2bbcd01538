# The image of a program, for the resources that run it. Terraform has it built whenever it
# plans; an image that is there already takes milliseconds.

terraform {
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "repository" {
  description = "Where the image goes, as in registry.example.com/hello."
  type        = string
}

data "external" "image" {
  program     = ["sh", abspath("${path.module}/image.sh"), var.repository, "."]
  working_dir = "${path.module}/../hello"
}

output "image" {
  description = "The image by its digest."
  value       = data.external.image.result.image
}
