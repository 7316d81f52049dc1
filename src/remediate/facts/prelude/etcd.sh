# The etcd servers of this node. Forks: per server one tr for the command line and one for the environment (the shell
# cannot read NUL bytes); the rest of /proc is read by built-ins. The names of 341 processes cost 7 ms so, one pgrep
# 25 ms [measured, CPU, dash 0.5.12 and procps 4.0.2].
#
# Sets etcd_pids. `etcd_named NAME…` sets e_these, the processes of these names. `etcd_load PID` then sets:
#   e_pid, e_ticks, e_args, e_env   the process; one word a line, a newline inside a word as \001
#   e_root                          /proc/PID/root where the process has a root of its own, else empty
#   e_instance                      etcd, or the name of a second one
#   e_data_dir, e_wal_dir, e_quota  as the server sees them
#   e_url, e_metrics                one client URL and one metrics URL that this node can ask
#   e_ca, e_cert, e_key             the server's own client-side TLS files, as the server sees them

etcd_nl='
'
etcd_pids=
etcd_names=
for e_word in /proc/[0-9]*/comm; do
    ! IFS= read -r e_line <"$e_word" || etcd_names=$etcd_names${e_word#/proc/}:$e_line$etcd_nl
done 2>/dev/null

etcd_named() {
    e_these=
    IFS=$etcd_nl
    set -f
    for e_line in $etcd_names; do
        for e_word in "$@"; do
            [ "${e_line#*/comm:}" != "$e_word" ] || e_these="$e_these ${e_line%%/*}"
        done
    done
    set +f
    unset IFS
}

# etcd_print TEXT: its lines, each behind a colon, so that no line of a program is taken for one of ours.
etcd_print() {
    e_rest=$1$etcd_nl
    while [ -n "$e_rest" ]; do
        printf ':%s\n' "${e_rest%%"$etcd_nl"*}"
        e_rest=${e_rest#*"$etcd_nl"}
    done
}

# A server in another network namespace is some workload's own, not this node's control plane.
etcd_ours() {
    [ ! -e "/proc/$1/ns/net" ] || [ "/proc/$1/ns/net" -ef /proc/$$/ns/net ]
}

# etcd_keep PID: remember command line, environment and start time. k3s runs etcd inside its own process.
etcd_keep() {
    read -r e_stat 2>/dev/null <"/proc/$1/stat" && etcd_ours "$1" || return 0
    case $e_stat in
        *'(k3s-server)'*) [ -r "$etcd_k3s" ] && e_args="k3s$etcd_nl--config-file=$etcd_k3s" e_env='' || return 0 ;;
        *)
            e_args=$(tr '\000\n' '\n\001' 2>/dev/null <"/proc/$1/cmdline")
            e_env=$(tr '\000\n' '\n\001' 2>/dev/null <"/proc/$1/environ")
            ;;
    esac
    [ -n "$e_args" ] || return 0
    # Field 22 of stat, counted behind the command's name, which may hold blanks and brackets.
    # shellcheck disable=SC2086
    set -- "$1" ${e_stat##*) }
    eval "etcd_args_$1=\$e_args etcd_env_$1=\$e_env etcd_ticks_$1=\${21}"
    etcd_pids="$etcd_pids $1"
}

# etcd_set NAME VALUE: keep the settings that probes need.
etcd_set() {
    case $1 in
        data-dir) e_data_dir=$2 ;;
        wal-dir) e_wal_dir=$2 ;;
        name) e_name=$2 ;;
        listen-client-urls) e_listen=$2 ;;
        listen-metrics-urls) e_metrics=$2 ;;
        cert-file) e_cert=$2 ;;
        key-file) e_key=$2 ;;
        trusted-ca-file) e_ca=$2 ;;
        quota-backend-bytes) e_quota=$2 ;;
        config-file) e_config=$2 ;;
    esac
}

etcd_from_env() {
    for e_word in $e_env; do
        case $e_word in
            ETCD_DATA_DIR=*) e_data_dir=${e_word#*=} ;;
            ETCD_WAL_DIR=*) e_wal_dir=${e_word#*=} ;;
            ETCD_NAME=*) e_name=${e_word#*=} ;;
            ETCD_LISTEN_CLIENT_URLS=*) e_listen=${e_word#*=} ;;
            ETCD_LISTEN_METRICS_URLS=*) e_metrics=${e_word#*=} ;;
            ETCD_CERT_FILE=*) e_cert=${e_word#*=} ;;
            ETCD_KEY_FILE=*) e_key=${e_word#*=} ;;
            ETCD_TRUSTED_CA_FILE=*) e_ca=${e_word#*=} ;;
            ETCD_QUOTA_BACKEND_BYTES=*) e_quota=${e_word#*=} ;;
            ETCD_CONFIG_FILE=*) e_config=${e_word#*=} ;;
        esac
    done
}

etcd_from_args() {
    e_want=
    for e_word in $e_args; do
        if [ -n "$e_want" ]; then
            etcd_set "$e_want" "$e_word"
            e_want=
            continue
        fi
        case $e_word in
            -*=*)
                e_word=${e_word#-}
                e_word=${e_word#-}
                etcd_set "${e_word%%=*}" "${e_word#*=}"
                ;;
            --data-dir | --wal-dir | --name | --listen-client-urls | --listen-metrics-urls | --cert-file | --key-file | \
                --trusted-ca-file | --quota-backend-bytes | --config-file) e_want=${e_word#--} ;;
        esac
    done
}

# RKE2 and k3s start etcd with --config-file; its flat keys, and the client's part of its TLS settings.
etcd_from_file() {
    e_part=
    while IFS= read -r e_line || [ -n "$e_line" ]; do
        case $e_line in
            ' '*) [ "$e_part" = client-transport-security ] || continue ;;
            *:) e_part=${e_line%:} ;;
        esac
        e_line=${e_line#"${e_line%%[! ]*}"}
        e_value=${e_line#*: }
        e_value=${e_value#[\"\']}
        etcd_set "${e_line%%:*}" "${e_value%[\"\']}"
    done <"$1"
}

# The URL of a list to ask: one of the loopback, else the first; an unspecified address is asked on the loopback.
etcd_local_url() {
    e_first=
    IFS=,
    for e_word in $1; do
        case $e_word in
            *://127.0.0.1:* | *://localhost:* | *'://[::1]:'*) e_first=$e_word && break ;;
            *://0.0.0.0:*) e_word=${e_word%%://*}://127.0.0.1:${e_word##*:} ;;
            *'://[::]:'*) e_word=${e_word%%://*}://[::1]:${e_word##*:} ;;
            unix*) continue ;;
        esac
        e_first=${e_first:-$e_word}
    done
    unset IFS
    e_first=${e_first%/}
}

# Stable names: 2379 is the main etcd's client port; others are called by their unit, their folder or their port.
etcd_name() {
    e_unit=
    while IFS=: read -r e_id e_ctl e_path; do
        case $e_id:$e_ctl:$e_path in
            0::*.service | *:name=systemd:*.service) e_unit=${e_path##*/} && e_unit=${e_unit%.service} ;;
        esac
    done <"/proc/$e_pid/cgroup"
    e_dir=${e_data_dir##*/}
    case $e_url,$e_unit,$e_dir in
        *:2379,*) e_instance=etcd ;;
        *,etcd*,*) e_instance=$e_unit ;;
        *,*,etcd*) e_instance=$e_dir ;;
        *) e_instance=etcd-${e_url##*:} ;;
    esac
    case "$etcd_taken " in *" $e_instance "*) e_instance=$e_instance-$e_pid ;; esac
    etcd_taken="$etcd_taken $e_instance"
}

etcd_load() {
    e_pid=$1 e_name=default e_data_dir='' e_wal_dir='' e_listen='' e_metrics='' e_quota='' e_config=''
    e_cert='' e_key='' e_ca='' e_root=''
    eval "e_args=\$etcd_args_$e_pid e_env=\$etcd_env_$e_pid e_ticks=\$etcd_ticks_$e_pid e_instance=\${etcd_name_$e_pid-}"
    [ / -ef "/proc/$e_pid/root" ] || e_root=/proc/$e_pid/root
    set -f
    IFS=$etcd_nl
    etcd_from_env
    etcd_from_args
    unset IFS
    set +f
    [ -z "$e_config" ] || [ ! -r "$e_root$e_config" ] || etcd_from_file "$e_root$e_config"
    case $e_data_dir in /*) ;; *) e_data_dir=$(readlink "/proc/$e_pid/cwd")/${e_data_dir:-$e_name.etcd} ;; esac
    etcd_local_url "${e_listen:-http://localhost:2379}" && e_url=$e_first
    etcd_local_url "${e_metrics:-$e_url}" && e_metrics=$e_first
}

# etcd_find INSTANCE: set e_pid to that server's.
etcd_find() {
    for e_pid in $etcd_pids; do
        eval "e_instance=\$etcd_name_$e_pid"
        [ "$e_instance" != "$1" ] || return 0
    done
    return 1
}

etcd_k3s=/var/lib/rancher/k3s/server/db/etcd/config
etcd_taken=
etcd_named etcd k3s-server
for e_pid in $e_these; do
    etcd_keep "$e_pid"
done
for e_pid in $etcd_pids; do
    etcd_load "$e_pid"
    etcd_name
    eval "etcd_name_$e_pid=\$e_instance"
done

# What EtcdProcesses shows. Only ETCD_* leaves the node, and nothing that may be a secret.
etcd_show() {
    for e_pid in $etcd_pids; do
        etcd_load "$e_pid"
        printf '@server %s %s\n@ticks %s\n@root %s\n@argv\n' "$e_pid" "$e_instance" "$e_ticks" "$e_root"
        etcd_print "$e_args"
        printf '@env\n'
        IFS=$etcd_nl
        set -f
        for e_word in $e_env; do
            case ${e_word%%=*} in
                *PASSWORD* | *SECRET*) ;;
                ETCD_*) printf ':%s\n' "$e_word" ;;
            esac
        done
        set +f
        unset IFS
    done
}
