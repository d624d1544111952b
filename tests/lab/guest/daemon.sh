# The daemon under test in the guest, and what can be seen of it. Sourced by the guest's scripts.

STORE=${STORE:-/tmp/store}
CONFIG=$STORE/store.toml
LOG=$OUT/daemon.log
CONSOLE=127.0.0.1/8480
daemon=

# check TEXT VERDICT SEEN: one line of the report.
check() {
    if [ "$2" = 0 ]; then echo "CHECK ok    $1: $3"; else echo "CHECK FAIL  $1: $3"; failed=1; fi
}

# wait_until SECONDS WHAT COMMAND…: level-triggered and bounded.
wait_until() {
    local end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || { echo "waited in vain for $what"; return 1; }
        sleep 0.1
    done
}

# write_head [LINE]: what every shop of the lab begins with, and a line more of [gateway].
write_head() {
    mkdir -p "$STORE"
    cat > "$CONFIG" <<TOML
[store]
id = "lab"
timezone = "Asia/Shanghai"

[gateway]
id = "gw-1"
data_dir = "data"
clock = "trusted"
${1:-}

[console]
listen = "${CONSOLE/\//:}"

TOML
}

write_config() {
    write_head
    cat >> "$CONFIG" <<TOML
[codes]
member = "^M[0-9]{8,}\$"

[[device]]
id = "keyboard-1"
profile = "scanner/hid-keyboard"
endpoint = "evdev:$KEYBOARD"

[[device]]
id = "serial-1"
profile = "scanner/generic-serial"
endpoint = "serial:$SERIAL"
TOML
}

start_daemon() {
    /tmp/smartstore run --config "$CONFIG" >> "$LOG" 2>&1 &
    daemon=$!
    wait_until 60 "the console" answers_or_ended && kill -0 "$daemon" 2>/dev/null
}
answers_or_ended() { ! kill -0 "$daemon" 2>/dev/null || api /health > /dev/null; }

stop_daemon() { kill -"$1" "$daemon"; wait "$daemon" 2>/dev/null; daemon=; }

# api PATH: the body the console answers with.
api() {
    (
        exec 9<> "/dev/tcp/$CONSOLE" || exit 1
        printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "${CONSOLE/\//:}" >&9
        sed '1,/^\r$/d' <&9
    ) 2>/dev/null
}

# has_state DEVICE STATE
has_state() { api /api/v1/devices | grep -oE '\{[^}]*\}' | grep -F "\"id\":\"$1\"" | grep -qF "\"state\":\"$2\""; }
# has_condition CODE [DEVICE]; without a device, the gateway's own.
has_condition() {
    local device=null
    [ -n "${2:-}" ] && device="\"$2\""
    api /health | grep -oE '\{"code"[^}]*\}' | grep -F "\"code\":\"$1\"" | grep -qF "\"device\":$device"
}
has_no_condition() { ! has_condition "$@"; }

events() { /tmp/smartstore events --config "$CONFIG" --json "$@"; }
# values: of scan events on stdin, the value as JSON writes it, quotes taken off.
values() { sed -nE 's/.*"type":"scan\.code\.v1".*"value":"(([^"\\]|\\.)*)".*/\1/p'; }
# codes DEVICE: every code of it in the journal, in order.
codes() { events --type scan.code | grep -F "\"subject\":\"$1\"" | values; }
has_code() { codes "$1" | grep -qxF -- "$2"; }
# metric NAME: the sum of a counter over all devices.
metric() { api /metrics | awk -v name="$1" 'index($1, name) && $1 !~ /^#/ { sum += $2 } END { print sum + 0 }'; }
has_codes() { [ "$(codes "$1" | wc -l)" -ge "$2" ]; }

# same_codes NAME DEVICE FILE: the journal holds exactly the codes of FILE, each once, in order.
same_codes() {
    local wanted got difference
    wanted=$(wc -l < "$3")
    wait_until 20 "$wanted codes of $2" has_codes "$2" "$wanted"
    codes "$2" > "$OUT/codes.$2"
    got=$(wc -l < "$OUT/codes.$2")
    difference=$(diff "$3" "$OUT/codes.$2")
    check "$1" $? "$got of $wanted codes in the journal${difference:+; difference: $difference}"
}
