"""The configuration: YAML with file and line, schemas on voluptuous, fields derived from them, the site file."""
