# The same by the policy for density.
balance
--policy
density
--replay
balance/day.samples
