# The main process of an activity's unit: starts the load and ends when its result was taken or its lease ran out.
# With this process systemd ends everything else in the unit, then runs the clean-up.
# $1: the activity's folder; $2: seconds that a lease lasts.
cd "$1" || exit 1

read -r now _ </proc/uptime
renewed=${now%.*}

# A lease that is just being written reads empty: the last one counts.
leased() {
    [ -e lease ] || return 1
    read -r lease <lease && renewed=$lease
    read -r now _ </proc/uptime
    [ $((${now%.*} - renewed)) -lt "$1" ]
}

leased "$2" || exit 75
{
    sh ./load >out 2>err </dev/null
    echo "$?" >rc
    : >ended
} &
while [ ! -e taken ]; do
    leased "$2" || exit 75
    sleep 0.3
done
