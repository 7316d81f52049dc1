"""A real etcd cluster on one machine: systemd, sshd, loop disks, a network of its own per node, and faults.

- `lifecycle` builds a lab and takes it away; `spec` says what one is and where its parts lie.
- `images`, `furniture`, `manifest`, `pki`: what a node's root file system is made of.
- `keeper`: the process that runs one node; `node/`: what runs inside it (an imitation of the kubelet, and crictl).
- `disks`, `network`, `groups`, `limits`: what the machine lends, each found again by its name after any crash.
- `faults`, `forwarder`, `sick`: what goes wrong, on purpose.
- `gateway`, `status`, `inside`, `inventory`: looking at a lab and telling others of it.
"""
