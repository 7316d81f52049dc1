#!/bin/sh
test "$1" = --list || exit 9
cat <<'JSON'
{
  "etcd": {"hosts": ["c1", "c2"], "vars": {"a": 1, "f": 1.5}, "children": ["arbiters"]},
  "zones": {"children": ["etcd", "later"]},
  "arbiters": {"hosts": ["c9"]},
  "later": {"hosts": ["c1"], "vars": {"ansible_group_priority": 3, "a": 3}},
  "_meta": {"hostvars": {
    "c1": {"ansible_host": "10.1.0.1", "t": "{{ a }}", "raw": {"__ansible_unsafe": "{{ a }}"}},
    "unknown": {"x": 1}
  }}
}
JSON
