# The same by the policy for latency: no KSM and no pause.
balance
--policy
latency
--replay
balance/day.samples
