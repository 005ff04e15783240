"""Compares the connector with other tools: each reads the same APIs, served on the loopback interface."""
