#!/bin/bash
# In the guest, twice: labphase=write takes codes until somebody cuts the power, labphase=read looks at what is left.
# The journal is on /dev/vda, a disk of its own. Every event that could be read from the journal is printed.
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=/lab/out/smartstore
STORE=/tmp/disk/store
failed=0
. "$HERE/daemon.sh"
. "$HERE/plugs.sh"

# Whether the disk says that its cache is volatile; only then does a cut lose what was not flushed.
cache() { cat /sys/block/vda/queue/write_cache; }

# The codes of the journal as lines `STORED row value` on the serial console: what an outside reader has seen.
stored() { sed -uE 's/.*"row":([0-9]+).*/\1 &/; s/^([0-9]+) .*"value":"(([^"\\]|\\.)*)".*/STORED \1 \2/'; }

write_codes() {
    prepare_plugs
    plug keyboard && plug serial
    write_config
    # A shop's configuration is long on the disk when the power goes; what comes after it is the daemon's affair.
    sync "$CONFIG" "$STORE" /tmp/disk
    start_daemon || return 1
    wait_until 20 "serial-1 running" has_state serial-1 running || return 1
    echo "CUT-READY cache: $(cache)"
    events --follow --type scan.code | stored &
    local n
    for n in $(seq 1 100000); do printf 'cut-%06d\r' "$n"; sleep 0.02; done > /dev/ttyGS0
}

read_codes() {
    /tmp/smartstore journal verify --config "$CONFIG" > "$OUT/verify" 2>&1
    check "after a power cut the journal verifies" $? "$(tr '\n' ' ' < "$OUT/verify")"
    events --type scan.code | stored > "$OUT/stored-after-cut"
    start_daemon
    check "after a power cut the daemon starts" $? "$(wc -l < "$OUT/stored-after-cut") codes in its journal"
    [ "$failed" = 0 ] || { tail -n 20 "$LOG"; return; }
    local opened
    opened=$(events --type journal.opened | wc -l)
    [ "$opened" = 1 ] && ! has_condition journal.damaged
    check "after a power cut it is the same journal" $? "opened as new $opened time(s): $(ls "$STORE/data" | tr '\n' ' ')"
    stop_daemon TERM
}

mkdir -p "$OUT" /tmp/disk
: >> "$LOG"
cp "$HERE/smartstore" /tmp/
mount -t ext4 /dev/vda /tmp/disk || exit 3
case $(sed -n 's/.*labphase=\([a-z]*\).*/\1/p' /proc/cmdline) in
    write) write_codes ;;
    read) read_codes ;;
esac
exit $failed
