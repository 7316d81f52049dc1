# From a server's data folder to the disk below it. Needs etcd.sh. Forks: a cat for each mount table (dash reads byte by
# byte, so a long one costs more than a fork), and a `stat -f` per server.
# mountinfo: ID PARENT MAJ:MIN ROOT POINT OPTIONS … - TYPE SOURCE SUPER (proc(5)); blanks in paths are \040.

# disk_mount TABLE PATH: the mount that PATH lies on. Sets k_mm, k_root, k_point, k_type, k_source.
# The longest mount point wins, and of equal ones the last, which hides the others.
disk_mount() {
    k_point='' k_mm='' k_root='' k_type='' k_source='' k_path=$2
    set -f
    IFS=$etcd_nl
    for k_line in $1; do
        unset IFS
        # shellcheck disable=SC2086
        set -- $k_line
        # Not in the pattern itself: bash takes "${5%/}"/* for something that an empty value does not match.
        k_head=${5%/}
        case $k_path/ in "$k_head"/*) ;; *) continue ;; esac
        [ ${#5} -ge ${#k_point} ] || continue
        k_mm=$3 k_root=$4 k_point=$5
        set -- ${k_line#* - }
        k_type=$1 k_source=$2
    done
    unset IFS
    set +f
}

# disk_on_host PATH TABLE: where PATH of a container with this mount table lies on the host, and its mount there. A bind mount shows a folder of a file
# system (k_root): on the host it is below the mount of the same file system that shows most of the way to it.
disk_on_host() {
    disk_mount "$2" "$1"
    k_want=${k_root%/}${1#"${k_point%/}"} k_wantmm=$k_mm k_base='' k_found=$1
    set -f
    IFS=$etcd_nl
    for k_line in $k_table; do
        unset IFS
        # shellcheck disable=SC2086
        set -- $k_line
        [ "$3" = "$k_wantmm" ] && [ ${#4} -ge ${#k_base} ] || continue
        k_head=${4%/}
        case $k_want/ in "$k_head"/*) k_base=$4 k_found=${5%/}${k_want#"$k_head"} ;; esac
    done
    unset IFS
    set +f
    disk_mount "$k_table" "$k_found"
}

# disk_of MAJ:MIN SOURCE: the disk below, through partitions and device-mapper. Sets k_device and k_disk, empty for none.
disk_of() {
    k_device='' k_disk='' k_sys=/sys/dev/block/$1
    if [ ! -e "$k_sys/uevent" ]; then
        # btrfs and the like have a device number of their own; their source names the device.
        case $2 in /dev/*) k_sys=/sys/class/block/${2##*/} ;; *) return 0 ;; esac
        [ -e "$k_sys/uevent" ] || return 0
    fi
    ! disk_field DEVNAME || k_device=/dev/$k_value
    for k_id in 1 2 3 4; do
        for k_slave in "$k_sys"/slaves/*; do
            [ ! -e "$k_slave/uevent" ] || { k_sys=$k_slave && break; }
        done
    done
    [ ! -e "$k_sys/partition" ] || k_sys=$k_sys/..
    ! disk_field DEVNAME || k_disk=$k_value
}

disk_field() {
    while IFS='=' read -r k_name k_value; do
        [ "$k_name" != "$1" ] || return 0
    done <"$k_sys/uevent"
    return 1
}

disk_show() {
    k_table=$(cat /proc/self/mountinfo)
    disk_mount "$k_table" /
    disk_of "$k_mm" "$k_source"
    k_rootdisk=$k_disk
    for e_pid in $etcd_pids; do
        etcd_load "$e_pid"
        if [ -z "$e_root" ]; then
            disk_mount "$k_table" "$e_data_dir"
        else
            disk_on_host "$e_data_dir" "$(cat "/proc/$e_pid/mountinfo")"
        fi
        disk_of "$k_mm" "$k_source"
        k_scheduler=
        [ ! -r "/sys/block/$k_disk/queue/scheduler" ] || read -r k_scheduler <"/sys/block/$k_disk/queue/scheduler"
        printf '@server %s %s\n' "$e_pid" "$e_instance"
        printf '@data\n:%s\n@type\n:%s\n@mount\n:%s\n@device\n:%s\n' "$k_path" "$k_type" "$k_point" "$k_device"
        printf '@disk\n:%s\n@scheduler\n:%s\n@root\n:%s\n@space\n:' "$k_disk" "$k_scheduler" "$k_rootdisk"
        stat -f -c '%S %b %a' "$e_root$e_data_dir" 2>/dev/null || echo
    done
}
