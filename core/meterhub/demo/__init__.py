"""The built-in demo: its site file, its made-up history and its paying tenants."""
