"""Where trial documents find what reads documents that people write."""

from trajsim.documents import DAY, Faults, Fields, parse_document, read_document

__all__ = ["DAY", "Faults", "Fields", "parse_document", "read_document"]
