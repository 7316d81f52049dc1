# Puts to the local member through its gateway, by one curl that keeps its connection.
# Behind the preludes etcd.sh and etcdctl.sh. The lines before this text set: instance, body, erase, count, rate, limit.
found=
for e_pid in $etcd_pids; do
    etcd_load "$e_pid"
    [ "$e_instance" != "$instance" ] || { found=1 && break; }
done
[ -n "$found" ] || { echo "$instance does not run on this node" >&2; exit 66; }

# Both files hold paths of keys, never keys; erase.conf is what the clean-up needs when this shell is gone.
{
    printf '%s\n' silent show-error globoff http1.1 'noproxy = "*"' 'connect-timeout = 2' 'max-time = 5'
    case $e_url in
        https:*)
            etcd_certs
            printf 'cacert = "%s"\ncert = "%s"\nkey = "%s"\n' "$e_root$e_ca" "$e_root$e_client" "$e_root$e_client_key"
            ;;
    esac
} >curl.conf
{
    cat curl.conf
    printf '%s\n' "data = @erase" "output = /dev/null" "url = \"$e_url/v3/kv/deleterange\""
} >erase.conf
printf '%s' "$erase" >erase
printf '%s' "$body" >body
{
    cat curl.conf
    printf '%s\n' 'data = @body' 'write-out = "%{http_code} %{time_pretransfer} %{time_total}\n"'
    # Slower than curl could, where curl knows how (7.84): a burst says less than five seconds of the member's life.
    case $(curl --help all 2>/dev/null) in *' --rate '*) printf 'rate = "%s/s"\n' "$rate" ;; esac
    while [ "$count" -gt 0 ]; do
        printf 'url = "%s/v3/kv/put"\noutput = answer\n' "$e_url"
        count=$((count - 1))
    done
} >puts.conf

# Line by line, so that what was measured is there when the time is over.
line_by_line=
! command -v stdbuf >/dev/null 2>&1 || line_by_line='stdbuf -oL'
timeout "$limit" $line_by_line curl --config puts.conf
[ ! -s answer ] || { head -c 500 answer && echo; } >&2
exit 0
