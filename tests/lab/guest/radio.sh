#!/bin/bash
# In the guest: a footfall sensor on a real radio driver. mac80211_hwsim makes two radios that hear each other: wlan0
# looks for networks as a phone does, wlan1 is the gateway's.
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=/lab/out/smartstore
failed=0
. "$HERE/daemon.sh"
SSID=LAB-PROBE-TEST

write_radio_config() {
    mkdir -p "$STORE/device-profiles/footfall"
    sed 's/^windows = .*/windows = ["2s"]/' "$HERE/linux-monitor.toml" > "$STORE/device-profiles/footfall/quick.toml"
    write_head
    cat >> "$CONFIG" <<TOML
[[device]]
id = "probe-1"
profile = "footfall/quick"
endpoint = "wifi:wlan1"
TOML
}

# look_for_networks: one scan of the phone's radio, which asks for one network by its name.
look_for_networks() { iw dev wlan0 scan freq 2412 2437 2462 ssid "$SSID" > /tmp/scan.txt 2>&1; }
mode_of() { iw dev "$1" info 2>/dev/null | awk '$1 == "type" { print $2 }'; }
channel_of() { iw dev wlan1 info 2>/dev/null | awk '$1 == "channel" { print $2 }'; }
is_monitor() { [ "$(mode_of wlan1)" = monitor ]; }
# hops: the radio is seen on each of its three channels.
hops() {
    channel_of >> /tmp/channels
    [ "$(sort -u /tmp/channels | grep -cE '^(1|6|11)$')" = 3 ]
}
windows() { events --type footfall.window; }
# has_counted FRAMES: so many in all windows.
counted() { windows | sed -nE 's/.*"frames":([0-9]+).*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }'; }
has_counted() { look_for_networks; [ "$(counted)" -ge "$1" ]; }

found_by_scan() {
    local found
    found=$(/tmp/smartstore scan --json)
    echo "$found" > "$OUT/scan-radio.json"
    grep -qF '"wifi:wlan1"' <<< "$found"
    check "scan finds the radio and that it can monitor" $? "$(grep -A2 -F '"wifi:wlan1"' <<< "$found" | tr -d '\n')"
}

mkdir -p "$OUT"; : > "$LOG"
cp "$HERE/smartstore" /tmp/
modprobe mac80211_hwsim radios=2
iw reg set US 2>/dev/null
wait_until 20 "two radios" test -e /sys/class/net/wlan1
ip link set wlan0 up
check "two radios are there" $? "$(ls /sys/class/net | tr '\n' ' ')"
found_by_scan
write_radio_config
start_daemon
check "the daemon is up" $? "process $daemon, $(cut -d' ' -f1 /proc/uptime) s after boot"
[ "$failed" = 0 ] || { tail -n 20 "$LOG"; exit 1; }
wait_until 30 "probe-1 running" has_state probe-1 running
check "the daemon has set its radio to monitor mode" $? "wlan1 is $(mode_of wlan1): $(api /api/v1/devices)"
wait_until 30 "three channels" hops
check "it listens to its channels in turn" $? "seen on $(sort -u /tmp/channels | tr '\n' ' ')"
wait_until 60 "probe requests" has_counted 3
check "a phone that looks for networks is counted" $? "$(counted) probe requests in $(windows | wc -l) windows: $(windows | tail -n 1)"
iw dev wlan1 del
wait_until 20 "radio.missing" has_condition radio.missing probe-1
check "an interface that goes is missed" $? "$(api /health)"
before=$(counted)
iw phy "$(iw dev wlan0 info | awk '$1 == "wiphy" { print $2 == 0 ? "phy1" : "phy0" }')" interface add wlan1 type managed
wait_until 30 "probe-1 running again" has_state probe-1 running
check "an interface that returns is taken and set anew" $? "wlan1 is $(mode_of wlan1)"
wait_until 60 "probe requests again" has_counted $((before + 3))
check "it counts on" $? "$before before, $(counted) after"
stop_daemon TERM
address=$(cat /sys/class/net/wlan0/address)
! grep -rqiF -e "$address" -e "$SSID" "$STORE/data" "$LOG"
check "neither the phone's address nor the network's name is in a file" $? "$(du -sk "$STORE/data" | cut -f1) KiB searched"
cp "$STORE"/data/* "$OUT/" 2>/dev/null
exit $failed
