#!/bin/sh
# Gives every thread of a process an I/O class and a nice value; with `always`, again whenever it was restarted.
# usage: sh keep.sh once|always PROCESS CLASS LEVEL NICE [THREAD…]     only these threads of it
# CLASS: 0 none, 1 realtime, 2 best-effort, 3 idle. LEVEL: 0 to 7, for classes 1 and 2.
# `ionice -p PID` and `renice -p PID` alone change one thread of many.
mode=$1 process=$2 class=$3 level=$4 nice=$5
shift 5
only=$*

# A process of another network namespace is some workload's own, not the control plane's.
find_pids() {
    pids=
    for pid in $(pgrep -x -- "$process"); do
        if [ "/proc/$pid/ns/net" -ef "/proc/$$/ns/net" ]; then pids="$pids $pid"; fi
    done
}

find_threads() {
    threads=
    for pid in $pids; do
        for folder in "/proc/$pid/task"/[0-9]*; do
            tid=${folder##*/}
            case " ${only:-$tid} " in *" $tid "*) ;; *) continue ;; esac
            if [ -d "$folder" ]; then threads="$threads $tid"; fi
        done
    done
}

# A thread takes over the values of the one that starts it: once a round finds nobody new, all others will follow.
# shellcheck disable=SC2086 # a list of numbers
set_threads() {
    done=
    round=0
    find_threads
    while [ "$threads" != "$done" ] && [ "$round" -lt 20 ]; do
        case $class in
            1 | 2) ionice -t -c "$class" -n "$level" -p $threads ;;
            *) ionice -t -c "$class" -p $threads ;;
        esac
        renice "$nice" -p $threads >/dev/null 2>&1
        done=$threads
        round=$((round + 1))
        find_threads
    done
}

find_pids
set_threads
if [ "$mode" = once ]; then exit 0; fi
while sleep 2; do
    before=$pids
    find_pids
    if [ "$pids" != "$before" ]; then set_threads; fi
done
