# Runs one load as a transient unit of its own and renews its lease with every newline that the controller sends.
# The lines before this text set: name, seconds, patience, lease_seconds, programs, cap, load, clean, watch.
# Each line of output is one word and a text:
#   t                  a tick, once a second
#   m PROGRAM DISTRO   a program is missing; the words of ID and ID_LIKE in os-release
#   x WHY              it could not start, or it was stopped
#   o LINE, e LINE     the load's output; the end of its errors
#   r CODE             its exit code: the load ended by itself
umask 077
LC_ALL=C PATH=${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unit=remediate-$name.service
dir=/run/remediate/$name.$$

say() { printf '%s\n' "$*"; }
refuse() { say "x $*"; exit 0; }
lines() { while IFS= read -r line || [ -n "$line" ]; do say "$1 $line"; done; }

running() { case $(systemctl is-active "$unit") in active | deactivating) true ;; *) false ;; esac; }

# Monotonic seconds: a clock that is set while the load runs must neither stop it nor keep it alive.
renew() { read -r up _ </proc/uptime && say "${up%.*}" >"$dir/lease"; }
keep_lease() { while read -r _; do renew; done; rm -f "$dir/lease"; }

for program in $programs; do
    command -v "$program" >/dev/null 2>&1 && continue
    say "m $program $(. /etc/os-release 2>/dev/null && say "${ID-} ${ID_LIKE-}")"
    exit 0
done
[ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1 || refuse "the node does not run systemd"

mkdir -p /run/remediate && mkdir "$dir" || refuse "cannot make $dir"
renew
exec 3<&0
keep_lease <&3 2>/dev/null &
keeper=$!
trap 'kill "$keeper" 2>/dev/null' EXIT

# Who waits here keeps the lease too: a load whose controller went away meanwhile ends before it begins (watch.sh).
while running; do
    [ "$patience" -gt 0 ] || { rm -rf "$dir"; refuse "another one is running on this node ($unit)"; }
    patience=$((patience - 1))
    sleep 1
    say t
done

say "$load" >"$dir/load"
say "$watch" >"$dir/watch"
say "cd $dir && ( $clean
)
cd / && rm -rf $dir" >"$dir/clean"

# SIGKILL: nothing here needs a graceful end, and the load has to be gone within 10 s of the controller's death.
systemd-run --quiet --collect --unit="$unit" -p RuntimeMaxSec="$seconds" -p KillSignal=SIGKILL \
    -p TimeoutStopSec=20 -p ExecStopPost="/bin/sh $dir/clean" \
    /bin/sh "$dir/watch" "$dir" "$lease_seconds" 2>&1 || { rm -rf "$dir"; refuse "systemd-run failed"; }

rounds=0
while [ -d "$dir" ] && [ ! -e "$dir/ended" ]; do
    sleep 0.2
    rounds=$(((rounds + 1) % 5))
    [ "$rounds" -ne 0 ] || say t
done
if [ -e "$dir/ended" ]; then
    head -c "$cap" "$dir/out" | lines o
    tail -n 20 "$dir/err" | head -c 4096 | lines e
    say "r $(cat "$dir/rc")"
    : >"$dir/taken"
else
    say "x stopped on the node: its lease ran out, or it took longer than $seconds s"
fi
# Done means gone: the unit's own clean-up is waited for, at most as long as systemd gives it (TimeoutStopSec).
rounds=0
while [ "$rounds" -lt 110 ] && [ -d "$dir" ]; do
    sleep 0.2
    rounds=$((rounds + 1))
done
rounds=0
while [ "$rounds" -lt 10 ] && running; do
    sleep 0.1
    rounds=$((rounds + 1))
done
exit 0
