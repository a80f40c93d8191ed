# A day from plenty to low and back, by the default policy.
balance
--replay
balance/day.samples
