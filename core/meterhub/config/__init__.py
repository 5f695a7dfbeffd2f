"""Configuration: what a deployer writes, checked so that each mistake is answered with its place and the right word."""
