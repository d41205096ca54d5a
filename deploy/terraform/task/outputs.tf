output "container_definitions" {
  description = "JSON for a task definition."
  value       = jsonencode([local.container])
}

output "volumes" {
  description = "Names of the task's volumes, both empty at the start."
  value       = ["data", "tmp"]
}

output "execution_policy" {
  description = "JSON of what starting the task needs beside pulling the image: its log group, and the secrets that it names."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

output "assume_role_policy" {
  description = "JSON of who may take the roles: tasks of ECS."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

output "log_group" {
  value = "/ecs/${var.name}"
}

output "port" {
  value = var.port
}

output "health_path" {
  value = var.health_path
}

output "cpu" {
  value = var.cpu
}

output "memory_mib" {
  value = var.memory_mib
}
