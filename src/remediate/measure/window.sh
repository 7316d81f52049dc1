# Scrapes of every local server's metrics: window_scrape NAME prints one block per server. Needs the preludes etcd.sh
# and etcdctl.sh.

# This node's uptime stands beside each scrape: the rates' time must not depend on a clock that somebody sets.
window_metrics() {
    read -r w_up _ </proc/uptime
    echo "node_uptime $w_up"
    set -- -sS -g --noproxy '*' --connect-timeout 2 -m 5
    case $e_metrics in
        https:*)
            etcd_certs
            set -- "$@" --cacert "$e_root$e_ca" --cert "$e_root$e_client" --key "$e_root$e_client_key"
            ;;
    esac
    curl "$@" "$e_metrics/metrics" |
        grep -E '^(process_start|etcd_(disk_(wal_fsync|backend_commit)_|server_(has_leader|leader_|slow_|proposals_failed|heartbeat)))'
}

window_scrape() {
    for e_pid in $etcd_pids; do
        etcd_load "$e_pid"
        printf '@server %s %s\n' "$e_pid" "$e_instance"
        etcd_section "$1" window_metrics
    done
}

if ! command -v curl >/dev/null 2>&1; then
    echo "@missing curl $(. /etc/os-release 2>/dev/null && echo "${ID-} ${ID_LIKE-}")"
    etcd_pids=
fi
