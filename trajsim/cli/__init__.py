"""The command line: the only room that prints, and the only one that may join two rooms that do not see each other."""
