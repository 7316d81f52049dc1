# The journal of one transaction on one node, run as a unit of its own: a dropped connection kills nothing.
# usage: sh transaction.sh FOLDER apply|undo|commit
# TX/state holds the last word; TX/journal every word before it. Each is synced before the next step begins.
TX=$1
umask 077
cd "$TX" || exit 1
. "$TX/lib.sh"

word() {
    printf '%s\n' "$*" >>journal && sync journal && printf '%s\n' "$*" >.state && sync .state &&
        mv -f .state state && sync "$TX" || r_fail "cannot write the journal in $TX"
}

step() { # step NUMBER check|apply|undo
    STAGE=$TX/$1 sh -eu -c 'TX=$2; . "$TX/lib.sh"; . "$STAGE/$1.sh"' step "$2" "$TX" </dev/null >>output 2>&1
}

take_back() { # take_back NUMBER: from this change down to the first
    number=$1
    bad=0
    while [ "$number" -gt 0 ]; do
        if [ -e "$number/undo.sh" ] && grep -q "^applying $number\$" journal; then
            word undoing "$number"
            step "$number" undo || bad=1
        fi
        number=$((number - 1))
    done
    if [ "$bad" = 0 ]; then word undone; else word held; fi
}

total=$(cat total)
case $2 in
apply)
    number=1
    while [ "$number" -le "$total" ]; do
        word checking "$number"
        step "$number" check || { word moved "$number"; exit 0; }
        number=$((number + 1))
    done
    number=1
    while [ "$number" -le "$total" ]; do
        # Again right before it is written: the step before may have taken minutes.
        step "$number" check || { word failed "$number"; take_back "$((number - 1))"; exit 0; }
        word applying "$number"
        step "$number" apply || { word failed "$number"; take_back "$number"; exit 0; }
        word applied "$number"
        number=$((number + 1))
    done
    word await
    ;;
undo)
    take_back "$total"
    ;;
commit)
    case $(cat state) in committed) exit 0 ;; esac
    if [ "$(cat state)" = await ]; then word committed; else r_fail "nothing awaits a confirmation in $TX: $(cat state)"; fi
    ;;
esac
