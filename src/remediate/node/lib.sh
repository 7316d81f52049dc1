# What every change's scripts may call on a node. POSIX sh, root, no network, no Python.
# TX is the transaction's folder (root, 0700). SAFETY.md, "Confirmed change", names the rules.

r_say() { printf '%s\n' "$*"; }
r_fail() { printf '%s\n' "$*" >&2; exit 1; }

# The compare-and-swap failed: the node is not as the plan saw it. 9 tells the controller so.
r_moved() { printf '%s\n' "$*" >&2; exit 9; }

r_sha() {
    r_sum=$(sha256sum <"$1") || return 1
    printf '%s\n' "${r_sum%% *}"
}

# A path is written only where no symbolic link can lead elsewhere (SAFETY, security case 5).
r_no_links() {
    if [ -L "$1" ]; then r_fail "$1 is a symbolic link; refused"; fi
    r_dir=${1%/*}
    if [ -d "$r_dir" ] && [ "$(readlink -f -- "$r_dir")" != "$r_dir" ]; then
        r_fail "$r_dir leads through a symbolic link; refused"
    fi
}

# r_same PATH SHA256|absent: is the file still what the plan saw?
r_same() {
    r_no_links "$1"
    if [ "$2" = absent ]; then
        if [ -e "$1" ]; then r_moved "$1 exists now; it did not when the plan was made"; fi
        return 0
    fi
    if [ ! -f "$1" ]; then r_moved "$1 is gone"; fi
    if [ "$(r_sha "$1")" != "$2" ]; then r_moved "$1 was edited since the plan was made"; fi
}

# r_put STAGED PATH MODE OWNER: dot-temp on the same file system, fsync, rename, fsync of the folder.
# The kubelet never sees half a file, and a dot file is none of its pods (FIELD-NOTES, traps).
r_put() {
    r_no_links "$2"
    r_dir=${2%/*}
    r_tmp=$r_dir/.${2##*/}.remediate
    rm -f -- "$r_tmp"
    (umask 077 && set -C && cat -- "$1" >"$r_tmp") || r_fail "cannot write below $r_dir"
    chown -- "$4" "$r_tmp" && chmod -- "$3" "$r_tmp" || r_fail "cannot set owner and mode of $r_tmp"
    if [ -e "$2" ] && command -v chcon >/dev/null 2>&1 && [ -d /sys/fs/selinux/booleans ]; then
        chcon --reference="$2" -- "$r_tmp" || r_fail "cannot keep the SELinux label of $2"
    fi
    sync -- "$r_tmp" && mv -fT -- "$r_tmp" "$2" && sync -- "$r_dir" || r_fail "cannot replace $2"
}

# r_save PATH NAME: keep the old bytes with owner, mode and attributes in TX/old/NAME, synced, once.
r_save() {
    if [ -e "$TX/old/$2" ] || [ -e "$TX/old/$2.absent" ]; then return 0; fi
    if [ -e "$1" ]; then
        cp -a -- "$1" "$TX/old/.$2" && sync -- "$TX/old/.$2" && mv -- "$TX/old/.$2" "$TX/old/$2"
    else
        : >"$TX/old/$2.absent"
    fi && sync -- "$TX/old" || r_fail "cannot keep a copy of $1 in $TX"
}

# r_remove PATH NAME: take a saved file away on purpose, for a while; r_restore then knows that its absence is ours.
r_remove() {
    : >"$TX/old/$2.removed" && sync -- "$TX/old" && rm -f -- "$1" && sync -- "${1%/*}" || r_fail "cannot remove $1"
}

# r_restore NAME PATH SHA256|absent: put the old file back, but only over what we wrote ourselves (its hash).
r_restore() {
    if [ -e "$TX/old/$1" ]; then
        if [ -f "$2" ] && [ "$(r_sha "$2")" = "$(r_sha "$TX/old/$1")" ]; then return 0; fi
    elif [ -e "$TX/old/$1.absent" ]; then
        if [ ! -e "$2" ]; then return 0; fi
    else
        return 0 # nothing was saved, so nothing was changed
    fi
    if [ ! -e "$2" ] && [ -e "$TX/old/$1.removed" ]; then
        :
    elif [ "$3" = absent ]; then
        if [ -e "$2" ]; then r_moved "$2 was made by somebody else meanwhile; kept"; fi
    elif [ ! -f "$2" ] || [ "$(r_sha "$2")" != "$3" ]; then
        r_moved "$2 was edited by somebody else meanwhile; kept"
    fi
    if [ -e "$TX/old/$1" ]; then
        r_put "$TX/old/$1" "$2" "$(stat -c %a -- "$TX/old/$1")" "$(stat -c %u:%g -- "$TX/old/$1")"
    else
        rm -f -- "$2" && sync -- "${2%/*}"
    fi
}
