"""What a run is asked to do: the settings, the layers they come in, the presets, and a forecast of the work.

Imports ``registry`` and what stands below it.
"""
