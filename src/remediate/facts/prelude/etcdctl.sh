# Ask the server that etcd_load loaded: through etcdctl on the host, etcdctl in its container, or curl to its gateway.
# Needs etcd.sh. Private keys are named to the client, never read.

unset ETCDCTL_ENDPOINTS ETCDCTL_CACERT ETCDCTL_CERT ETCDCTL_KEY ETCDCTL_USER
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

etcd_pair() {
    [ -r "$e_root$1" ] && [ -r "$e_root$2" ] && e_client=$1 e_client_key=$2
}

# The client certificate beside the CA (kubeadm: healthcheck-client; kubespray: admin-HOST; k3s, RKE2: client),
# else the server's own pair. Sets e_client and e_client_key as the server sees them.
etcd_certs() {
    e_client='' e_client_key=''
    e_dir=${e_ca%/*}
    etcd_pair "$e_dir/healthcheck-client.crt" "$e_dir/healthcheck-client.key" && return
    for e_word in "$e_root$e_dir"/admin-*-key.pem; do
        e_word=${e_word#"$e_root"}
        etcd_pair "${e_word%-key.pem}.pem" "$e_word" && return
    done
    etcd_pair "$e_dir/client.crt" "$e_dir/client.key" && return
    etcd_pair "$e_cert" "$e_key"
}

# The container's ID is in the process' cgroup path (standard input), whatever runs it. Sets e_id and e_groups.
etcd_container_id() {
    e_id='' e_groups=''
    while IFS= read -r e_line; do
        IFS=/
        for e_word in $e_line; do
            e_word=${e_word%.scope}
            e_word=${e_word##*[-:]}
            case $e_word in *[!0-9a-f]*) ;; *) [ ${#e_word} -ne 64 ] || e_id=$e_word e_groups=$e_line ;; esac
        done
        unset IFS
    done
}

# Sets e_enter, words that run a command in the server's container: by the runtime that made it, else by its namespaces.
etcd_container() {
    e_enter=
    [ -n "$e_root" ] || return
    etcd_container_id <"/proc/$e_pid/cgroup"
    case $e_groups in *libpod*) e_tools=podman ;; *docker*) e_tools=docker ;; *) e_tools='crictl nerdctl' ;; esac
    for e_word in $e_tools; do
        command -v "$e_word" >/dev/null 2>&1 || continue
        [ -n "$e_id" ] || [ "$e_word" != crictl ] || e_id=$(crictl ps -q --name '^etcd$' --state running 2>/dev/null)
        case $e_id in '' | *"$etcd_nl"*) continue ;; esac
        case $e_word in nerdctl) e_word='nerdctl -n k8s.io' ;; esac
        e_enter="$e_word exec $e_id" && return
    done
    command -v nsenter >/dev/null 2>&1 && e_enter="nsenter --target $e_pid --mount --root --"
}

# etcd_ctl SECONDS ARGUMENT…: etcdctl, on the host or (e_via=container) in the container.
etcd_ctl() {
    e_seconds=$1 && shift
    e_see=$e_root e_run=
    [ "$e_via" != container ] || e_see='' e_run=$e_enter
    case $e_url in
        https:*)
            set -- ${e_ca:+--cacert="$e_see$e_ca"} \
                ${e_client:+--cert="$e_see$e_client" --key="$e_see$e_client_key"} "$@"
            ;;
    esac
    ETCDCTL_API=3 $e_run etcdctl --endpoints="$e_url" --dial-timeout=2s --command-timeout="${e_seconds}s" "$@"
}

# etcd_curl SECONDS PATH BODY…: requests over one connection, each answer closed by a line "~ CODE SECONDS". Errors go
# through curl's own buffer, so that they stand where they belong.
etcd_curl() {
    e_seconds=$1 && shift
    e_words=$#
    while [ "$e_words" -gt 0 ]; do
        e_path=$1 e_body=$2 && shift 2
        e_words=$((e_words - 2))
        [ $# -le "$e_words" ] || set -- "$@" --next
        set -- "$@" -sS -g --stderr - --noproxy '*' --connect-timeout 2 -m "$e_seconds"
        case $e_url in
            https:*)
                set -- "$@" ${e_ca:+--cacert "$e_root$e_ca"} \
                    ${e_client:+--cert "$e_root$e_client" --key "$e_root$e_client_key"}
                ;;
        esac
        set -- "$@" -w '\n~ %{http_code} %{time_total}\n' -d "$e_body" "$e_url/v3/$e_path"
    done
    curl "$@"
}

# etcd_section NAME COMMAND…: "@NAME CODE", then what the command printed on both streams.
etcd_section() {
    e_section=$1 && shift
    e_out=$("$@" 2>&1)
    e_rc=$?
    printf '@%s %s\n' "$e_section" "$e_rc"
    [ -z "$e_out" ] || etcd_print "$e_out"
    return "$e_rc"
}

etcd_has() {
    case $1 in
        etcdctl) command -v etcdctl >/dev/null 2>&1 ;;
        container) etcd_container ;;
        gateway) command -v curl >/dev/null 2>&1 ;;
    esac
}

# Whether another way may still answer: not where the server itself is silent or its certificates are the trouble.
etcd_try_next() {
    case $e_out in *deadline* | *refused* | *timed\ out* | *x509* | *expired*) return 1 ;; esac
}

# etcd_ways WISH FUNCTION: run FUNCTION by the ways of WISH (auto: all three, cheapest first) until one answers.
etcd_ways() {
    e_ways=$1 e_ask=$2
    # One curl process for all questions: a third of what three etcdctl cost the node's CPU, which etcd needs itself.
    [ "$e_ways" != auto ] || e_ways='gateway etcdctl container'
    e_found=
    for e_via in $e_ways; do
        etcd_has "$e_via" || continue
        e_found=1
        printf '@via %s\n' "$e_via"
        "$e_ask" && return
        etcd_try_next || break
    done
    if [ -z "$e_found" ]; then
        printf '@none %s\n' "$e_ways"
    else
        etcd_show_certs
    fi
}

# With TLS 1.3 a client never hears that its certificate has expired: the connection just ends. So the certificates
# (never a key) are shown with the node's time wherever nothing answered.
etcd_show_certs() {
    case $e_url in https:*) ;; *) return 0 ;; esac
    printf '@now %s\n' "$(date +%s)"
    for e_word in "$e_client" "$e_cert"; do
        [ -r "$e_root$e_word" ] || continue
        printf '@cert %s\n' "$e_word"
        etcd_print "$(cat "$e_root$e_word")"
    done
}

# Without a leader etcdctl from 3.5 on gets no member list, and a learner gives neither list nor read: the first is
# asked of the gateway, which answers from what the server itself knows, the second not at all.
etcd_ask_status() {
    if [ "$e_via" = gateway ]; then
        etcd_section gateway etcd_curl 5 maintenance/status '{}' cluster/member/list '{}' kv/range '{"key":"aGVhbHRo"}'
        case $e_out in *'"raftTerm"'*) return 0 ;; *) return 1 ;; esac
    fi
    etcd_section status etcd_ctl 5 endpoint status -w json || return
    case $e_out in
        *'"isLearner":true'*) return 0 ;;
        *'"leader":'*)
            etcd_section members etcd_ctl 5 member list -w json
            etcd_section health etcd_ctl 5 endpoint health -w json
            ;;
        *)
            ! etcd_has gateway || etcd_section members etcd_curl 2 cluster/member/list '{}'
            etcd_section health etcd_ctl 2 endpoint health -w json
            ;;
    esac
    return 0
}

etcd_ask_compact() {
    if [ "$e_via" = gateway ]; then
        etcd_section gateway etcd_curl 5 kv/range '{"key":"Y29tcGFjdF9yZXZfa2V5","serializable":true}'
    else
        etcd_section key etcd_ctl 5 get compact_rev_key --consistency=s -w json
    fi
}

# etcd_each WISH FUNCTION: one block per server.
etcd_each() {
    for e_pid in $etcd_pids; do
        etcd_load "$e_pid"
        printf '@server %s %s\n@quota %s\n' "$e_pid" "$e_instance" "${e_quota:-0}"
        case $e_url in https:*) etcd_certs ;; esac
        etcd_ways "$1" "$2"
    done
}
