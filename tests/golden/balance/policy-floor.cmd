# A policy that is refused.
balance
--policy
balance/floor.policy
--replay
balance/day.samples
