"""MeterHub: remote reading of electricity and water meters, and prepaid utilities.

The core knows links, lines, devices, entities, actions, schedules, records and
people. It knows no meter, radio, payment company or SMS provider: those are
plugins, found through the entry-point group ``meterhub.plugins``. A plugin
marks its hooks with ``hookimpl``::

    from meterhub import hookimpl

    @hookimpl
    def register_protocols(): ...
"""

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("meterhub")
"""Marks a function of a plugin as the implementation of the hook of the same name."""
