# A policy that is refused.
balance
--policy
balance/cross.policy
--replay
balance/day.samples
