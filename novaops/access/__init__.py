"""Who may do what: roles, grants, and the sentence that says why not."""
