"""The checks, one file a family; `trajsim.gmf.check` runs them."""
