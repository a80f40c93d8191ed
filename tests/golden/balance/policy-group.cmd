# A policy that is refused.
balance
--policy
balance/group.policy
--replay
balance/day.samples
