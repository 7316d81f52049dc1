# Processes of a name: their threads, where they live, and the files that keep their priority. Needs etcd.sh, threads.sh.
# Forks: what threads.sh says per process, a stat and a cat per existing file.

# home_file PATH: what is there, and the lines of a regular file.
home_file() {
    if [ -L "$1" ]; then
        echo "@path $1 link"
    elif [ -f "$1" ]; then
        printf '@path %s file ' "$1"
        stat -c '%a %U:%G %u:%g %s' -- "$1"
        h_text=$(cat -- "$1")
        [ -z "$h_text" ] || etcd_print "$h_text"
    elif [ -e "$1" ]; then
        echo "@path $1 other"
    elif [ -d "${1%/*}/" ]; then
        echo "@path $1 absent"
    else
        echo "@path $1 no-folder"
    fi
}

# home_group PATH: the nearest group above PATH that divides CPU time (cgroup v2). Sets h_cpu.
home_group() {
    h_cpu=$1
    while [ -n "$h_cpu" ] && [ ! -e "/sys/fs/cgroup$h_cpu/cpu.weight" ]; do h_cpu=${h_cpu%/*}; done
}

# home_groups PID: sets h_cpu (empty or / for the whole machine) and h_unit, a unit with a file of its own.
home_groups() {
    h_cpu=- h_two='' h_path=''
    while IFS=: read -r h_id h_controllers h_line; do
        case ,$h_controllers, in
            ,,) h_two=$h_line && h_path=${h_path:-$h_line} ;;
            ,name=systemd,) h_path=$h_line ;;
            *,cpu,*) h_cpu=$h_line ;;
        esac
    done 2>/dev/null <"/proc/$1/cgroup"
    [ "$h_cpu" != - ] || home_group "${h_two%/}"
    h_unit=-
    case ${h_path##*/} in
        *.service)
            h_name=${h_path##*/}
            case $h_name in *@*) h_file=${h_name%%@*}@.service ;; *) h_file=$h_name ;; esac
            for h_folder in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
                [ ! -e "$h_folder/$h_name" ] && [ ! -e "$h_folder/$h_file" ] || h_unit=$h_name
            done
            ;;
    esac
}

# home_show PROCESS DROP_IN: every process of that name, its threads, and the drop-in of its unit.
home_show() {
    [ ! -d /run/systemd/system ] || echo @systemd
    if [ "$1" = etcd ]; then e_these=$etcd_pids; else etcd_named "$1"; fi
    for h_pid in $e_these; do
        etcd_ours "$h_pid" || continue
        home_groups "$h_pid"
        h_command=
        read -r h_command 2>/dev/null <"/proc/$h_pid/comm" || continue
        printf '@process %s %s\n:%s\n:%s\n' "$h_pid" "$h_unit" "$h_command" "$h_cpu"
        [ "$h_unit" = - ] || home_file "/etc/systemd/system/$h_unit.d/$2"
        h_instance=$1
        [ "$1" != etcd ] || eval "h_instance=\$etcd_name_$h_pid"
        threads_of "$h_pid" "$h_instance"
    done
}

# home_keeper UNIT: whether it runs, and will after a reboot.
home_keeper() {
    [ -L "/etc/systemd/system/multi-user.target.wants/$1" ] || return 0
    ! systemctl --quiet is-active "$1" || echo @keeper
}
