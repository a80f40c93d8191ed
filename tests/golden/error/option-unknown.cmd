list
--zebra
