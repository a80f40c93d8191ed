pmem
--facts
../data/facts/pmem-nova.json
--pool
virtio:ns_0
inventory
