# A policy that is neither shipped nor a path.
balance
--policy
densty
--replay
balance/day.samples
