# I/O class and nice value of every thread of some processes. Forks per process: one cat and one ionice. Needs etcd.sh.

# threads_of PID NAME. A thread that ends between the two makes ionice stop early: then once more.
threads_of() {
    printf '@server %s %s\n' "$1" "$2"
    t_pid=$1
    for t_try in 1 2 3; do
        set --
        for t_task in "/proc/$t_pid/task"/[0-9]*; do set -- "$@" "${t_task##*/}"; done
        t_io=$(ionice -p "$@" 2>&1) && break
    done
    printf '@tids %s\n@io\n' "$*"
    etcd_print "$t_io"
    printf '@stat\n'
    etcd_print "$(cat "/proc/$t_pid/task"/[0-9]*/stat 2>/dev/null)"
}

# threads_show NAME: of every process of that name; etcd's are known already.
threads_show() {
    if [ "$1" = etcd ]; then
        for t_server in $etcd_pids; do
            eval "threads_of $t_server \"\$etcd_name_$t_server\""
        done
    else
        etcd_named "$1"
        for t_server in $e_these; do
            ! etcd_ours "$t_server" || threads_of "$t_server" "$1"
        done
    fi
}
