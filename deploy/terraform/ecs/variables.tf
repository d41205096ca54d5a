variable "name" {
  type = string
}

variable "image" {
  type = string
}

variable "upstream" {
  type = string
}

variable "mode" {
  type    = string
  default = "monitoring"
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "secrets" {
  type    = map(string)
  default = {}
}

variable "region" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "vpc_networks" {
  description = "Networks of the load balancer's subnets: whose x-forwarded-for is believed."
  type        = list(string)
}

variable "public_subnets" {
  type = list(string)
}

variable "private_subnets" {
  type = list(string)
}

variable "upstream_networks" {
  description = "Networks of the gateway behind."
  type        = list(string)
}

variable "upstream_port" {
  type    = number
  default = 443
}

variable "certificate_arn" {
  description = "Of ACM, for the load balancer's name."
  type        = string
}

variable "tasks" {
  type    = number
  default = 2
}
