"""For tests of MeterHub and of its plugins: a movable clock, a scripted wire, conformance suites, a pytest plugin."""
