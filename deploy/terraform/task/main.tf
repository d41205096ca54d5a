# What a task of ECS is made of, without a provider: plain values in, JSON out, so that `terraform test` proves it without a cloud.

terraform {
  required_version = ">= 1.6"
}

locals {
  environment = merge(
    {
      PALISADE_LISTEN = "0.0.0.0:${var.port}"
      # Not PALISADE_UPSTREAM: by this name the other variables of owasp/modsecurity-crs count as well, SET_REAL_IP_FROM below.
      BACKEND              = var.upstream
      PALISADE_MODE        = var.mode
      PALISADE_HEALTH_PATH = var.health_path
      PALISADE_DATA_DIR    = "/var/lib/palisade"
    },
    var.crs ? { PALISADE_CRS = "/opt/owasp-crs" } : {},
    length(var.trusted_proxies) > 0 ? { SET_REAL_IP_FROM = join(",", var.trusted_proxies) } : {},
    var.environment,
  )

  # `ARN:KEY:STAGE:VERSION` names a part of a secret; rights are given to the secret.
  secret_arns = distinct([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, 7))])

  container = {
    name                   = "palisade"
    image                  = var.image
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
    portMappings           = [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }]
    # By name, so that the same input is the same text and no task is replaced for nothing.
    environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]
    mountPoints = [
      { sourceVolume = "data", containerPath = "/var/lib/palisade", readOnly = false },
      { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
    ]
    healthCheck = {
      command     = ["CMD", "palisade", "health"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }
    # Longer than the drain, 30 s.
    stopTimeout = 60
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = "/ecs/${var.name}"
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "palisade"
      }
    }
  }

  execution_statements = concat(
    [{
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:${var.region}:*:log-group:/ecs/${var.name}:*"]
    }],
    length(local.secret_arns) > 0 ? [{
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = local.secret_arns
    }] : [],
  )
}
