#!/bin/bash
# In the guest: USB cameras as the kernel shows them. vivid makes two nodes and breaks them on request: unplugged, silent,
# a stream that fails. A second reader keeps a broken node open, because vivid mends it when its last user goes.
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=/lab/out/smartstore
failed=0
. "$HERE/daemon.sh"
CAMERA=/tmp/camera

write_camera_config() {
    write_head 'models_dir = "/tmp/models"'
    cat >> "$CONFIG" <<TOML
[[device]]
id = "camera-1"
profile = "camera/v4l2"
endpoint = "v4l2:$CAMERA"
[device.settings]
width = 640
height = 480
fps = 5
window = "5s"
TOML
}

holder=
hold() { sleep 100000 < "$1" & holder=$!; }
let_go() { kill "$holder"; wait "$holder" 2>/dev/null; holder=; }
break_it() { v4l2-ctl -d "$1" -c "$2" > /dev/null; }
state() { api /api/v1/devices; }
evidence() { state | grep -oE '"evidence":"[^"]*"'; }
sees() { evidence | grep -q '640 x 480'; }
looked_at() {
    api /metrics | awk '/what="frames_good"/ && /device="camera-1"/ { sum += $2 } END { print sum + 0 }'
}
has_looked_at() { [ "$(looked_at)" -ge "$1" ]; }
detail() { api /health | grep -oE '"text":"[^"]*"' | tail -n 1; }
windows() { events --type face.window; }
has_window() { windows | grep -q '"frames":[1-9]'; }

found_by_scan() {
    local found
    found=$(/tmp/smartstore scan --json)
    echo "$found" > "$OUT/scan-camera.json"
    grep -q '"v4l2:/dev/' <<< "$found"
    check "scan finds the camera" $? "$(grep -A2 -F '"v4l2:' <<< "$found" | head -n 3 | tr -d '\n')"
}

mkdir -p "$OUT" /tmp/models; : > "$LOG"
cp "$HERE/smartstore" /tmp/
cp "$HERE"/*.onnx /tmp/models/
modprobe vivid n_devs=2 node_types=0x1,0x1
wait_until 20 "two nodes" test -c /dev/video1
check "two cameras are there" $? "$(ls /dev/video* | tr '\n' ' ')"
found_by_scan
ln -s /dev/video0 "$CAMERA"
write_camera_config
/tmp/smartstore doctor --config "$CONFIG" | grep -F camera-1 > /tmp/doctor.txt
grep -q vivid /tmp/doctor.txt
check "doctor names the camera" $? "$(cat /tmp/doctor.txt)"
start_daemon
check "the daemon is up" $? "process $daemon, $(cut -d' ' -f1 /proc/uptime) s after boot"
[ "$failed" = 0 ] || { tail -n 20 "$LOG"; exit 1; }
wait_until 60 "pictures" sees
check "pictures of the size that was asked for are looked at" $? "$(evidence)"
# Emulated, a look takes seconds: whether a window is complete is told by other tests.
wait_until 60 "a window" has_window
check "windows of it are stored" $? "$(windows | tail -n 1 | grep -oE '"data":.*')"

hold /dev/video0
break_it /dev/video0 disconnect=1
wait_until 20 "camera.missing" has_condition camera.missing camera-1
check "a camera that is unplugged is missed" $? "$(detail)"
ln -sfn /dev/video1 "$CAMERA"
wait_until 30 "no camera.missing" has_no_condition camera.missing camera-1
check "its name points to another plug, and that is opened" $? "$(ls -l /proc/$daemon/fd | grep -o '/dev/video.*' | head -n 1)"
let_go

before=$(looked_at)
hold /dev/video1
break_it /dev/video1 percentage_of_dropped_buffers=100
wait_until 30 "camera.stalled" has_condition camera.stalled camera-1
check "a camera that falls silent has stalled" $? "$(detail)"
api /health > /dev/null
check "the daemon answers meanwhile" $? "$(api /health | head -c 60)"
break_it /dev/video1 percentage_of_dropped_buffers=0
wait_until 30 "no camera.stalled" has_no_condition camera.stalled camera-1
wait_until 30 "pictures again" has_looked_at $((before + 5))
check "it is looked through again" $? "$before pictures before, $(looked_at) after"

before=$(looked_at)
break_it /dev/video1 inject_fatal_streaming_error=1
wait_until 30 "pictures again" has_looked_at $((before + 3))
check "a stream that fails is begun anew" $? "$before pictures before, $(looked_at) after"

break_it /dev/video1 percentage_of_dropped_buffers=100
began=$(date +%s)
stop_daemon TERM
check "a daemon whose camera is silent ends when it is told to" $? "after $(($(date +%s) - began)) s"
let_go
! grep -qi panicked "$LOG"
check "nothing has panicked" $? "$(wc -l < "$LOG") lines of log"
cp "$STORE"/data/journal.db "$OUT/" 2>/dev/null
exit $failed
