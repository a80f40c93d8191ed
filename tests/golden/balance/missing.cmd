# A file that is not there.
balance
--replay
balance/none.samples
