"""The schema's history: one module per step, named in ``store.migrate``. A step that was released never changes."""
