"""Records: the border of trajsim. Everything to the right of it works on real data as well as on simulated data."""
