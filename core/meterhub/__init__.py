"""MeterHub: remote reading of electricity and water meters, and prepaid utilities.

The core knows links, lines, devices, entities, actions, schedules, records and
people. It knows no meter, radio, payment company or SMS provider: those are
plugins, found through the entry-point group ``meterhub.plugins``.
"""

__version__ = "0.1.0"
