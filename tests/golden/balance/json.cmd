# Decisions as JSON.
balance
--json
--replay
balance/pressure.samples
