"""Asks running gateways: what `s3gateway status`, `disable` and `enable` do.

A control process answers at an abstract Unix socket (`gateway.control.operator_socket`).
"""
