#!/bin/bash
# In the guest: scanners on real drivers. Which checks to run comes on the kernel's command line (labcheck=a,b).
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=/lab/out/smartstore
failed=0
. "$HERE/daemon.sh"
. "$HERE/plugs.sh"

wanted=$(sed -n 's/.*labcheck=\([^ ]*\).*/\1/p' /proc/cmdline)
wants() { [ "${wanted:-all}" = all ] || [[ ",$wanted," == *",$1,"* ]]; }
type_keys() { /tmp/typist /dev/hidg0 "$@"; }
# The record of what was sent, as it must stand in the journal.
sent() { printf '%s\n' "$2" >> "/tmp/sent.$1"; }
# scan_keys CODE [VALUE]: typed and ended with Enter; VALUE is what must be recorded, if it is not the same.
scan_keys() { type_keys "type=$1" tap=enter && sent keyboard-1 "${2:-$1}"; }
# scan_serial CODE: sent and ended with CR.
scan_serial() { printf '%s\r' "$1" > /dev/ttyGS0 && sent serial-1 "$1"; }
# overhear FILE: a second reader of the keyboard, as a browser or a login prompt would be.
overhear() {
    cat "$(readlink -f "$KEYBOARD")" > "$1" 2>/dev/null &
    listener=$!
    wait_until 10 "the second reader" holds "$listener" /dev/input/event
}
# holds PROCESS PATH: whether it has a file open whose name begins like that.
holds() { readlink /proc/"$1"/fd/* 2>/dev/null | grep -q "^$2"; }
# key_events FILE VALUE: how many key events of that value (1 down, 2 repeat) a file of struct input_event holds.
key_events() { od -An -v -tu2 -w24 "$1" | awk -v value="$2" '$9 == 1 && $11 == value' | wc -l; }
has_key_events() { [ "$(key_events "$1" "$2")" -ge "$3" ]; }

found_by_scan() {
    local found
    found=$(/tmp/smartstore scan --json)
    for endpoint in "evdev:$KEYBOARD" "serial:$SERIAL"; do
        grep -qF "\"$endpoint\"" <<< "$found"
        check "scan finds it under its stable name" $? "$endpoint"
    done
    echo "$found" > "$OUT/scan.json"
}

# Without the daemon, a second reader hears the keyboard; otherwise the check of the grab proves nothing. The kernel
# repeats a key that is held; otherwise the check of repeats proves nothing.
keyboard_is_heard() {
    overhear /tmp/heard
    type_keys type=ab tap=enter hold=c,450
    wait_until 10 "four keys" has_key_events /tmp/heard 1 4
    kill $listener; wait $listener 2>/dev/null
    local down repeated
    down=$(key_events /tmp/heard 1); repeated=$(key_events /tmp/heard 2)
    [ "$down" = 4 ] && [ "$repeated" -ge 1 ]
    check "without the daemon any reader hears the keyboard" $? "$down keys down, $repeated repeats of a held key"
}

keyboard() {
    overhear /tmp/overheard
    scan_keys 6901234567892
    scan_keys M20231122
    scan_keys 'https://example.com/p?q=%7Eab&c=D_e-f+g#top'
    scan_keys ']C10109506000134352101ABC123\u001d2112345' '0109506000134352101ABC123\u001d2112345'
    scan_keys ' !\"#$%&'"'"'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~'
    type_keys tap=capslock type=aBc1z tap=capslock tap=enter && sent keyboard-1 AbC1Z
    type_keys type=held- hold=x,350 type=-once tap=enter && sent keyboard-1 held-x-once
    # A key that is no character spoils its code: no code is better than a wrong one.
    type_keys type=before tap=f1 type=after tap=enter
    scan_keys after-the-bad-one
    same_codes "each code typed is in the journal once" keyboard-1 /tmp/sent.keyboard-1
    kill $listener; wait $listener 2>/dev/null
    [ ! -s /tmp/overheard ]
    check "with the daemon nobody else hears the keyboard" $? "$(stat -c %s /tmp/overheard) bytes overheard"
}

# Reports as fast as a high-speed bus takes them, 1 ms apart: the kernel keeps 64 events for a reader and drops what a
# slow one leaves (SYN_DROPPED). A code may be lost then, and is counted; none may be wrong, or there twice.
burst() {
    local n steps=() before
    before=$(codes keyboard-1 | wc -l)
    for n in $(seq 1 60); do
        steps+=("type=burst-$(printf %03d "$n")-aBcDeF" tap=enter)
        printf 'burst-%03d-aBcDeF\n' "$n"
    done > /tmp/burst
    type_keys pace=0 "${steps[@]}"
    # A pause longer than the profile's 500 ms ends a half code; what follows must be read.
    sleep 1
    scan_keys after-the-burst
    wait_until 20 "the code after the burst" has_code keyboard-1 after-the-burst
    codes keyboard-1 | tail -n +$((before + 1)) | grep -vx after-the-burst > /tmp/burst.got
    # In order, each at most once: what came is a subsequence of what was sent.
    [ -z "$(comm -13 /tmp/burst /tmp/burst.got)" ] && [ -z "$(uniq -d /tmp/burst.got)" ] && sort -c /tmp/burst.got
    check "of a burst too fast for a slow box no code is wrong" $? "$(wc -l < /tmp/burst.got) of 60 codes came, $(metric frames_malformed) malformed"
    cat /tmp/burst.got >> "$OUT/burst"
}

# A payment code in full must be nowhere on the disk.
payment() {
    local code=134650328919428540
    scan_keys "]Q1$code" '13************8540'
    same_codes "a payment code is masked" keyboard-1 /tmp/sent.keyboard-1
    ! grep -rqF "$code" "$STORE" "$LOG"
    check "a payment code is on no disk" $? "$(grep -rlF "$code" "$STORE" "$LOG" | wc -l) files hold it"
}

# replug NAME DEVICE HALF: the cable is pulled in the middle of a code and put back.
replug() {
    unplug "$1"
    wait_until 20 "tty.missing of $2" has_condition tty.missing "$2"
    check "$1: a pulled cable is named" $? "tty.missing of $2 stands"
    plug "$1"
    wait_until 20 "tty.missing of $2 to go" has_no_condition tty.missing "$2" && wait_until 20 "$2 running" has_state "$2" running
    check "$1: it goes with the cable back" $? "$2 is running"
}

keyboard_replug() {
    type_keys type=half-of-a-
    replug keyboard keyboard-1
    scan_keys code-after-replug-1
    unplug keyboard; plug keyboard
    wait_until 20 "keyboard-1 running" has_state keyboard-1 running
    scan_keys code-after-replug-2
    same_codes "keyboard: codes after a replug arrive, half a code does not" keyboard-1 /tmp/sent.keyboard-1
}

serial() {
    for n in $(seq 1 20); do scan_serial "69012345${n}"; done
    printf '{"v":1,"url":"https://example.com/a?b=c"}\r' > /dev/ttyGS0
    sent serial-1 '{\"v\":1,\"url\":\"https://example.com/a?b=c\"}'
    same_codes "each code sent is in the journal once" serial-1 /tmp/sent.serial-1
}

serial_replug() {
    printf 'half-of-a-' > /dev/ttyGS0
    replug serial serial-1
    scan_serial code-after-replug-1
    same_codes "serial: codes after a replug arrive, half a code does not" serial-1 /tmp/sent.serial-1
}

# kill -9 while codes come in; what could be read from the journal before is there afterwards, and nothing twice.
killed() {
    (for n in $(seq 1 400); do printf 'killed-%04d\r' "$n"; sleep 0.01; done > /dev/ttyGS0) &
    local typing=$!
    local before
    before=$(codes serial-1 | wc -l)
    wait_until 30 "some of the codes" has_codes serial-1 $((before + 20))
    codes serial-1 > "$OUT/before-kill"
    stop_daemon KILL
    kill -KILL $typing 2>/dev/null; wait $typing 2>/dev/null
    /tmp/smartstore journal verify --config "$CONFIG" > "$OUT/verify" 2>&1
    check "after kill -9 the journal verifies" $? "$(tr '\n' ' ' < "$OUT/verify")"
    start_daemon
    codes serial-1 > "$OUT/after-kill"
    head -n "$(wc -l < "$OUT/before-kill")" "$OUT/after-kill" | cmp -s - "$OUT/before-kill"
    check "what was in the journal before kill -9 is there after it" $? "$(wc -l < "$OUT/before-kill") before, $(wc -l < "$OUT/after-kill") after"
    [ -z "$(sort "$OUT/after-kill" | uniq -d | grep killed)" ]
    check "no code is there twice" $? "$(sort "$OUT/after-kill" | uniq -d | grep -c killed) codes twice"
    wait_until 20 "serial-1 running" has_state serial-1 running
    scan_serial code-after-kill
    wait_until 20 "the code after kill -9" has_code serial-1 code-after-kill
    check "a restarted daemon reads codes" $? "$(codes serial-1 | tail -n 1) is the last code"
    /tmp/smartstore journal verify --config "$CONFIG" >> "$OUT/verify" 2>&1
    check "with the daemon running the journal verifies" $? "$(tail -n 1 "$OUT/verify")"
}

mkdir -p "$OUT"; : > "$LOG"; : > /tmp/sent.keyboard-1; : > /tmp/sent.serial-1
cp "$HERE/smartstore" "$HERE/typist" /tmp/
prepare_plugs
plug keyboard && plug serial
check "both cables are in" $? "$(ls /dev/input/by-id /dev/serial/by-id | tr '\n' ' ')"
wants scan && found_by_scan
wants keyboard && keyboard_is_heard
write_config
start_daemon
check "the daemon is up" $? "process $daemon, $(cut -d' ' -f1 /proc/uptime) s after boot"
[ "$failed" = 0 ] || { tail -n 20 "$LOG"; exit 1; }
wait_until 20 "keyboard-1 running" has_state keyboard-1 running && wait_until 20 "serial-1 running" has_state serial-1 running
check "both scanners are attached" $? "$(api /api/v1/devices)"
for name in keyboard payment keyboard_replug serial serial_replug burst killed; do wants $name && { echo "--- $name $(cut -d' ' -f1 /proc/uptime) s"; $name; }; done
stop_daemon TERM
cp "$STORE"/data/* "$OUT/" 2>/dev/null
exit $failed
