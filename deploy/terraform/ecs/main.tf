# A service of ECS on Fargate in front of a gateway: load balancer (TLS) -> Palisade -> gateway.
#
# NOT VALIDATED against the provider: where this was written no provider could be installed. It was formatted and parsed; what is not
# plain wiring is in ../task, which is tested. Read the plan before you apply it.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

module "task" {
  source          = "../task"
  name            = var.name
  image           = var.image
  upstream        = var.upstream
  mode            = var.mode
  environment     = var.environment
  secrets         = var.secrets
  region          = var.region
  trusted_proxies = var.vpc_networks
}

resource "aws_cloudwatch_log_group" "this" {
  name              = module.task.log_group
  retention_in_days = 30
}

# Starts the task: pulls, writes logs, reads the secrets that are named.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = module.task.assume_role_policy
}

resource "aws_iam_role_policy_attachment" "pull" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "execution" {
  name   = "${var.name}-execution"
  role   = aws_iam_role.execution.id
  policy = module.task.execution_policy
}

# The process itself asks nothing of the cloud.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = module.task.assume_role_policy
}

resource "aws_security_group" "balancer" {
  name   = "${var.name}-balancer"
  vpc_id = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_tasks" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = module.task.port
  to_port                      = module.task.port
}

resource "aws_security_group" "tasks" {
  name   = "${var.name}-tasks"
  vpc_id = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = module.task.port
  to_port                      = module.task.port
}

resource "aws_vpc_security_group_egress_rule" "to_gateway" {
  for_each          = toset(var.upstream_networks)
  security_group_id = aws_security_group.tasks.id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.upstream_port
  to_port           = var.upstream_port
}

# The registry, logs and secrets.
resource "aws_vpc_security_group_egress_rule" "to_cloud" {
  security_group_id = aws_security_group.tasks.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_ecs_cluster" "this" {
  name = var.name
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = module.task.cpu
  memory                   = module.task.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = module.task.container_definitions

  dynamic "volume" {
    for_each = module.task.volumes
    content {
      name = volume.value
    }
  }
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.balancer.id]
  subnets                    = var.public_subnets
  drop_invalid_header_fields = false # Palisade is to see what clients send.
}

resource "aws_lb_target_group" "this" {
  name                 = var.name
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = module.task.port
  deregistration_delay = 45

  health_check {
    path    = module.task.health_path
    matcher = "200"
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = var.tasks

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.tasks.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "palisade"
    container_port   = module.task.port
  }
}
