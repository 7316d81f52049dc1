# Frames of a look. b_mark is set: the random word that begins every mark. `MARK 3` opens frame 3, `MARK 3 0` closes
# it with the probe's exit code. Standard input brings a newline a second from the controller for as long as it waits.
# Forks: none for an inline probe, one for a guarded probe, one for the watcher of all of them.

# Without root's rights probes see half of a host and call the rest absent: none of them is run. The effective user is
# read from the kernel without a fork, 0.2 ms in dash, 0.7 in busybox [measured]; id(1) is asked only where that file says nothing.
b_user=''
[ ! -r /proc/self/status ] || while read -r b_name b_rest b_user b_rest; do
    [ "$b_name" != Uid: ] || break
done </proc/self/status
if [ "${b_user:-$(id -u)}" != 0 ]; then
    echo "$b_mark not root"
    exit 0
fi

b_main=$$ b_watcher='' b_tick=''
exec 3<&0
trap 'b_tick=1' USR1
trap 'exit 0' EXIT # also where an inline probe ends this shell: the frame that it left open says so

# b_inline NUMBER PROBE: in this shell, without a fork.
b_inline() {
    echo "$b_mark $1"
    eval "$2"
    echo "$b_mark $1 $?"
}

# b_guard NUMBER SECONDS PROBE: in a subshell that sees what the prelude set, and is felled when its time is over. It
# runs in the background because `wait` alone is interrupted by a signal: a process that no signal ends (a dead disk,
# a dead NFS server) then costs its own value only. timeout(1) would wait for it, and costs 2.3 ms instead of 0.3.
# Its input is closed by word: bash stops doing so by itself after a loop with an input of its own [bash 5.2, measured].
b_guard() {
    [ -n "$b_watcher" ] || b_hire
    echo "$b_mark $1"
    (eval "$3") </dev/null 3<&- &
    b_pid=$! b_left=$2 b_tick=''
    while
        wait "$b_pid"
        b_rc=$?
        [ "$b_rc" -gt 128 ] && [ -n "$b_tick" ]
    do
        b_tick='' b_left=$((b_left - 1))
        [ "$b_left" -lt 0 ] || continue
        b_fell "$b_pid"
        b_rc=124
        break
    done
    echo "$b_mark $1 $b_rc"
}

# b_hire: start the watcher. It hands the controller's newlines on as signals; when they end, nobody waits any more.
# Redirected by exec, because dash keeps copies of what a function's redirection covers: the output would stay open.
b_hire() {
    (exec <&3 3<&- >/dev/null 2>&1 && b_watch) &
    b_watcher=$!
}

b_watch() {
    while read -r b_line; do
        b_ours && kill -USR1 "$b_main" || exit 0
    done
    b_ours || exit 0
    kill -STOP "$b_main"
    for b_child in $(b_children "$b_main"); do
        [ "$b_child" = "$b_self" ] || b_fell "$b_child"
    done
    kill -KILL "$b_main"
}

# b_ours: the shell of the look still lives; its number may be another's once the watcher has a new parent.
b_ours() {
    read -r b_self b_name b_state b_parent b_rest </proc/self/stat
    [ "$b_parent" = "$b_main" ]
}

b_children() {
    for b_found in $(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status); do
        b_found=${b_found%/status}
        echo "${b_found#/proc/}"
    done
}

# b_fell PID: kill a process and all below it; stopped first, so that it starts nothing meanwhile.
b_fell() {
    kill -STOP "$1" 2>/dev/null || return 0
    for b_below in $(b_children "$1"); do b_fell "$b_below"; done
    kill -KILL "$1" 2>/dev/null
}
