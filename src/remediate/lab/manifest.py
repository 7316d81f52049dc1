"""etcd's static pod manifest, as `kubeadm init phase etcd local` writes it."""

from __future__ import annotations

from remediate.lab.spec import Lab, NodeSpec

PKI = "/etc/kubernetes/pki/etcd"

_MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: {client_url}
  creationTimestamp: null
  labels:
    component: etcd
    tier: control-plane
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command:
    - etcd
{flags}
    image: localhost/etcd:{image}
    imagePullPolicy: IfNotPresent
    livenessProbe:
      failureThreshold: 8
      httpGet:
        host: 127.0.0.1
        path: /health?exclude=NOSPACE&serializable=true
        port: 2381
        scheme: HTTP
      initialDelaySeconds: 10
      periodSeconds: 10
      timeoutSeconds: 15
    name: etcd
    resources:
      requests:
        cpu: 100m
        memory: 100Mi
    startupProbe:
      failureThreshold: 24
      httpGet:
        host: 127.0.0.1
        path: /health?serializable=false
        port: 2381
        scheme: HTTP
      initialDelaySeconds: 10
      periodSeconds: 10
      timeoutSeconds: 15
    volumeMounts:
    - mountPath: /var/lib/etcd
      name: etcd-data
    - mountPath: {pki}
      name: etcd-certs
  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  volumes:
  - hostPath:
      path: {pki}
      type: DirectoryOrCreate
    name: etcd-certs
  - hostPath:
      path: /var/lib/etcd
      type: DirectoryOrCreate
    name: etcd-data
status: {{}}
"""


def flags(lab: Lab, node: NodeSpec) -> dict[str, str]:
    """etcd's flags, sorted as kubeadm sorts them.

    Where no API server compacts, a healthy lab lets etcd do it; a sick one does not compact at all.
    """
    wanted = {
        "advertise-client-urls": node.client_url,
        "cert-file": f"{PKI}/server.crt",
        "client-cert-auth": "true",
        "data-dir": "/var/lib/etcd",
        "experimental-initial-corrupt-check": "true",
        "initial-advertise-peer-urls": node.peer_url,
        "initial-cluster": ",".join(f"{other.name}={other.peer_url}" for other in lab.nodes),
        "key-file": f"{PKI}/server.key",
        "listen-client-urls": f"https://127.0.0.1:2379,{node.client_url}",
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "listen-peer-urls": node.peer_url,
        "name": node.name,
        "peer-cert-file": f"{PKI}/peer.crt",
        "peer-client-cert-auth": "true",
        "peer-key-file": f"{PKI}/peer.key",
        "peer-trusted-ca-file": f"{PKI}/ca.crt",
        "snapshot-count": "10000",
        "trusted-ca-file": f"{PKI}/ca.crt",
    }
    if lab.etcd != "3.4":  # 3.4.23 does not know it and would not start
        wanted["experimental-watch-progress-notify-interval"] = "5s"
    if not lab.sick:
        wanted |= {"auto-compaction-mode": "periodic", "auto-compaction-retention": "1h"}
    return dict(sorted(wanted.items()))


def manifest(lab: Lab, node: NodeSpec) -> str:
    """The text of /etc/kubernetes/manifests/etcd.yaml."""
    lines = "\n".join(f"    - --{name}={value}" for name, value in flags(lab, node).items())
    return _MANIFEST.format(client_url=node.client_url, flags=lines, image=lab.image, pki=PKI)
