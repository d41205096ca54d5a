output "address" {
  description = "The load balancer's name, for a record of your zone."
  value       = aws_lb.this.dns_name
}
