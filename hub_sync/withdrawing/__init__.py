"""Taking back what was published: earlier versions, retired datasets, verdicts that turned."""
