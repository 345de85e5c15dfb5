"""From alert to lessons: incidents, checklist, post-mortems."""
