variables {
  name     = "waf"
  image    = "registry.example.com/palisade:0.1.0-crs"
  upstream = "https://kong.internal.example.com:8443"
  region   = "eu-west-1"
  secrets = {
    PALISADE_EXAMPLE_TOKEN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:waf-AbCdEf:token::"
    PALISADE_OTHER_TOKEN   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:waf-AbCdEf:other::"
  }
}

run "a_task_watches_only_unless_it_is_told_otherwise" {
  command = plan
  assert {
    condition = contains(jsondecode(output.container_definitions)[0].environment, {
      name = "PALISADE_MODE", value = "monitoring"
    })
    error_message = "the default mode stops nothing"
  }
  assert {
    condition     = [for one in jsondecode(output.container_definitions)[0].environment : one.value if one.name == "BACKEND"] == [var.upstream]
    error_message = "the upstream is the gateway"
  }
}

run "the_container_may_write_nothing_but_its_volumes_and_is_not_root" {
  command = plan
  assert {
    condition     = jsondecode(output.container_definitions)[0].readonlyRootFilesystem && jsondecode(output.container_definitions)[0].user == "65532:65532"
    error_message = "read-only, and not root"
  }
  assert {
    condition     = jsondecode(output.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "no capabilities"
  }
  assert {
    condition     = sort([for mount in jsondecode(output.container_definitions)[0].mountPoints : mount.sourceVolume]) == sort(output.volumes)
    error_message = "every mount has its volume"
  }
}

run "secrets_go_by_reference_and_only_they_may_be_read" {
  command = plan
  assert {
    condition     = length([for one in jsondecode(output.container_definitions)[0].environment : one if strcontains(one.name, "TOKEN")]) == 0
    error_message = "no secret is in the environment"
  }
  assert {
    condition     = one([for one in jsondecode(output.execution_policy).Statement : one if one.Sid == "Secrets"]).Resource == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:waf-AbCdEf"]
    error_message = "one secret, once, without its key"
  }
  assert {
    condition     = alltrue([for one in jsondecode(output.execution_policy).Statement : alltrue([for action in one.Action : !strcontains(action, "*")])])
    error_message = "no right is a wildcard"
  }
}

run "without_secrets_no_right_to_read_any" {
  command = plan
  variables {
    secrets = {}
  }
  assert {
    condition     = [for one in jsondecode(output.execution_policy).Statement : one.Sid] == ["Logs"]
    error_message = "logs alone"
  }
}

run "clients_behind_a_balancer_are_believed_from_its_networks_alone" {
  command = plan
  variables {
    trusted_proxies = ["10.0.0.0/16", "10.1.0.0/16"]
  }
  assert {
    condition     = contains(jsondecode(output.container_definitions)[0].environment, { name = "SET_REAL_IP_FROM", value = "10.0.0.0/16,10.1.0.0/16" })
    error_message = "the balancer's networks"
  }
}

run "a_token_in_the_environment_is_refused" {
  command = plan
  variables {
    environment = { SOME_TOKEN = "x" }
  }
  expect_failures = [var.environment]
}

run "an_unknown_mode_is_refused" {
  command = plan
  variables {
    mode = "blocking"
  }
  expect_failures = [var.mode]
}

run "a_port_of_root_is_refused" {
  command = plan
  variables {
    port = 80
  }
  expect_failures = [var.port]
}

run "a_secret_by_value_is_refused" {
  command = plan
  variables {
    secrets = { TOKEN = "hunter2" }
  }
  expect_failures = [var.secrets]
}
