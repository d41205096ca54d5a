variable "name" {
  description = "What the service, its task and its logs are called."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,62}$", var.name))
    error_message = "A name has letters, digits and hyphens, begins with a letter, and has 63 characters at most."
  }
}

variable "image" {
  description = "The image, by a tag or, better, a digest; the variant with CRS where crs is true."
  type        = string
}

variable "upstream" {
  description = "The gateway behind: http://HOST:PORT or https://HOST:PORT."
  type        = string
  validation {
    condition     = can(regex("^https?://[^/\\s]+$", var.upstream))
    error_message = "Write http://HOST:PORT or https://HOST:PORT, without a path."
  }
}

variable "mode" {
  description = "off, monitoring, safe_blocking or block."
  type        = string
  default     = "monitoring"
  validation {
    condition     = contains(["off", "monitoring", "safe_blocking", "block"], var.mode)
    error_message = "One of off, monitoring, safe_blocking, block."
  }
}

variable "port" {
  description = "The port of the container that the load balancer asks."
  type        = number
  default     = 8080
  validation {
    condition     = var.port >= 1024 && var.port <= 65535
    error_message = "The process is not root: 1024 to 65535."
  }
}

variable "health_path" {
  description = "Answered by Palisade itself, uninspected, for the target group."
  type        = string
  default     = "/def-healthz"
}

variable "crs" {
  description = "Run the OWASP CRS that is in the image beside the built-in detector."
  type        = bool
  default     = true
}

variable "trusted_proxies" {
  description = "Networks of the load balancer, whose x-forwarded-for is believed. Empty: the connection's address counts."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for network in var.trusted_proxies : can(cidrhost(network, 0))])
    error_message = "Networks such as 10.0.0.0/16."
  }
}

variable "environment" {
  description = "Further variables of docs/reference/environment.md; never secrets."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for name in keys(var.environment) : !can(regex("(?i)token|secret|password|key$", name))])
    error_message = "What is secret goes into secrets, by reference."
  }
}

variable "secrets" {
  description = "Variables by the ARN of a secret of Secrets Manager, or of a key in one (ARN:KEY::). Only the ARN is in the state."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?$", arn))])
    error_message = "ARNs of Secrets Manager: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, perhaps with :KEY::."
  }
}

variable "cpu" {
  description = "CPU units of the task."
  type        = number
  default     = 512
}

variable "memory_mib" {
  description = "Memory of the task. A Palisade with CRS takes 50 to 100 MB, and bodies that are held."
  type        = number
  default     = 1024
}

variable "region" {
  description = "Where logs go."
  type        = string
}
