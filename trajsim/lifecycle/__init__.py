"""What happens to people beside diseases: facts of growth, vital signs, risks, vaccines and insurance."""
