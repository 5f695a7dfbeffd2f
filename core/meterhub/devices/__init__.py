"""Devices and what can be seen of them: entities, profiles, states, and the reader that polls them."""
