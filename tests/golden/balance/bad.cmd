# A line that is no sample is named.
balance
--replay
balance/bad.samples
