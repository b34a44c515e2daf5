"""Sessions one by one: lists, one session's course, one learner's progress, and the statistics made every hour."""
