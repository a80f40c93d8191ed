# A policy that is refused.
balance
--policy
balance/lever.policy
--replay
balance/day.samples
