"""Networks: what carries a history forward (one file a kind), and the heads that read it."""
