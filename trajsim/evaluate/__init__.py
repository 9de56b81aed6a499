"""How good records are: compared with a reference, with real ones, with what they promise.

This room cannot see the simulator. It receives Records and tables, whoever made them, and returns reports.
"""
