"""Asks running gateways: what `s3gateway status`, `reload`, `disable` and others do.

A control process answers at an abstract Unix socket (`gateway.control.operator_socket`).
"""
