"""What tests of modules and records need, here and elsewhere: generated modules and assertions."""
