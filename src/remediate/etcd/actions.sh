# What changes ask of a running etcd. Needs the prelude's etcd.sh and etcdctl.sh before it; each action is run by
# whichever way answers (etcdctl, etcdctl in the container, the gateway), as facts are.

# act_on INSTANCE: load that server of this node.
act_on() {
    for e_pid in $etcd_pids; do
        etcd_load "$e_pid"
        if [ "$e_instance" = "$1" ]; then
            case $e_url in https:*) etcd_certs ;; esac
            return 0
        fi
    done
    printf 'no etcd «%s» runs here\n' "$1" >&2
    return 1
}

# act_answered TEXT: did the gateway's last request end with 200?
act_answered() {
    case $1 in *'~ 200 '*) return 0 ;; esac
    printf '%s\n' "$1" >&2
    return 1
}

act_gateway() { # SECONDS PATH BODY
    act_out=$(etcd_curl "$@" 2>&1)
    act_answered "$act_out"
}

# act_try FUNCTION: by the first way that this node has. No second way after a failure: a request may be under way.
act_try() {
    for e_via in gateway etcdctl container; do
        if etcd_has "$e_via"; then
            "$1"
            return
        fi
    done
    echo 'cannot ask etcd: neither etcdctl nor curl is on this node' >&2
    return 1
}

# The member to lead, as etcdctl (hexadecimal) and the gateway (decimal) write it: act_hex, act_dec.
act_move_leader() {
    if [ "$e_via" = gateway ]; then
        act_gateway 10 maintenance/transfer-leadership "{\"targetID\":\"$act_dec\"}"
    else
        etcd_ctl 10 move-leader "$act_hex"
    fi
}

# A client's time-out does not stop the server (etcd#8260), so this is given all the time that was estimated: act_seconds.
act_defragment() {
    if [ "$e_via" = gateway ]; then
        act_gateway "$act_seconds" maintenance/defragment '{}'
    else
        etcd_ctl "$act_seconds" defrag
    fi
}

# Poll until the server answers again: while it defragments, a read of its status waits or fails.
act_until_back() { # SECONDS
    act_left=$1
    until act_try act_alive >/dev/null 2>&1; do
        act_left=$((act_left - 3))
        if [ "$act_left" -le 0 ]; then return 1; fi
        sleep 1
    done
}

act_alive() {
    if [ "$e_via" = gateway ]; then
        act_gateway 2 kv/range '{"key":"aGVhbHRo","serializable":true}'
    else
        etcd_ctl 2 get health --consistency=s
    fi
}

act_disarm() {
    if [ "$e_via" = gateway ]; then
        for act_dec in $act_members; do
            act_gateway 10 maintenance/alarm \
                "{\"action\":\"DEACTIVATE\",\"memberID\":\"$act_dec\",\"alarm\":\"NOSPACE\"}" || return 1
        done
        return
    fi
    # etcdctl disarms every alarm of every member, so nothing but NOSPACE may be raised.
    act_raised=$(etcd_ctl 10 alarm list) || return 1
    case $act_raised in *CORRUPT*) echo 'CORRUPT is raised; it must not be disarmed' >&2 && return 1 ;; esac
    etcd_ctl 10 alarm disarm
}

# One small write and its removal: after NOSPACE only that proves that the store takes writes again (etcd#9992).
act_prove_write() {
    if [ "$e_via" = gateway ]; then
        act_gateway 10 kv/put '{"key":"cmVtZWRpYXRlL3Byb29m","value":"MQ=="}' &&
            act_gateway 10 kv/deleterange '{"key":"cmVtZWRpYXRlL3Byb29m"}'
    else
        etcd_ctl 10 put remediate/proof 1 && etcd_ctl 10 del remediate/proof
    fi
}

# act_restart UNIT: start it anew without waiting for it; a unit that failed too often may start at once.
act_restart() {
    systemctl reset-failed -- "$1" 2>/dev/null || :
    systemctl --no-block restart -- "$1"
}

# act_wait cmdline|environ UNIT OLD_PID OLD_TICKS SECONDS WANTED… -- UNWANTED…
# Wait for an etcd other than the old process, of this unit (empty: of any), whose command line or environment holds
# every wanted word sequence and no unwanted word, alone or before `=`.
# Success is what /proc says of the process, never the file (kubeadm#2718).
act_wait() {
    act_file=$1 act_unit=$2 act_old=$3:$4 act_left=$(($5 * 5))
    shift 5
    while [ "$act_left" -gt 0 ]; do
        for e_pid in $(pgrep -x etcd); do
            read -r e_stat 2>/dev/null <"/proc/$e_pid/stat" || continue
            act_id=$e_pid:$(set -f && set -- ${e_stat##*) } && printf '%s' "${20}")
            if [ "$act_id" != "$act_old" ] && act_of_unit && act_has "$@"; then return 0; fi
        done
        act_left=$((act_left - 1))
        sleep 0.2
    done
    echo "no etcd with the wanted /proc/PID/$act_file came up in time" >&2
    return 1
}

act_of_unit() {
    [ -n "$act_unit" ] || return 0
    while read -r act_group; do
        case $act_group in */"$act_unit" | */"$act_unit"/*) return 0 ;; esac
    done 2>/dev/null <"/proc/$e_pid/cgroup"
    return 1
}

act_has() {
    act_line="
$(tr '\000' '\n' 2>/dev/null <"/proc/$e_pid/$act_file")
"
    act_part=wanted
    for act_word in "$@"; do
        case $act_part:$act_word in
            *:--) act_part=unwanted ;;
            wanted:*) case $act_line in *"
$act_word
"*) ;; *) return 1 ;; esac ;;
            unwanted:*) case $act_line in *"
$act_word
"* | *"
$act_word="*) return 1 ;; esac ;;
        esac
    done
}

# act_wait_gone PID TICKS SECONDS: wait until that very process has ended.
act_wait_gone() {
    act_left=$(($3 * 5))
    while [ "$act_left" -gt 0 ]; do
        read -r e_stat 2>/dev/null <"/proc/$1/stat" || return 0
        case $(set -f && set -- ${e_stat##*) } && printf '%s' "${20}") in "$2") ;; *) return 0 ;; esac
        act_left=$((act_left - 1))
        sleep 0.2
    done
    echo "etcd ($1) still runs although its manifest is gone" >&2
    return 1
}

# Whether the node's kubelet runs, where it has one as a unit.
act_kubelet() {
    if systemctl cat kubelet.service >/dev/null 2>&1 && ! systemctl --quiet is-active kubelet.service; then
        echo 'the kubelet does not run: nobody would start etcd anew' >&2
        return 1
    fi
}
