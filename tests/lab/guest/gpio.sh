#!/bin/bash
# In the guest: lift sensors on GPIO lines. gpio-sim makes a chip whose lines are pulled by files. Debian's kernel does not
# have it: a module that was built for the kernel stands beside this script as gpio-sim.ko, or the check is skipped.
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=/lab/out/smartstore
failed=0
. "$HERE/daemon.sh"
SIM=/sys/kernel/config/gpio-sim/shelf

write_gpio_config() {
    write_head
    cat >> "$CONFIG" <<TOML
[[device]]
id = "lift-1"
profile = "sensor/lift-gpio"
endpoint = "gpio:lab-shelf/3"
[device.settings]
facing = "A3"
more = { A4 = 5 }

[[device]]
id = "lift-held"
profile = "sensor/lift-gpio"
endpoint = "gpio:lab-shelf/7"
[device.settings]
facing = "A7"

[[device]]
id = "lift-beyond"
profile = "sensor/lift-gpio"
endpoint = "gpio:lab-shelf/99"
[device.settings]
facing = "A9"
TOML
}

line() { echo /sys/devices/platform/"$(cat $SIM/dev_name)"/gpiochip*/sim_gpio"$1"; }
pull() { echo "pull-$2" > "$(line "$1")/pull"; }
lifts() { events --type screen.action | grep -oE '"facing":"[^"]*","lifted":[a-z]*' | tr -d '"' | sed 's/facing:\(.*\),lifted:/\1 /'; }
lifted() { [ "$(lifts | tail -n 1)" = "$1" ]; }
detail_of() { api /health | grep -oE '\{"code"[^}]*\}' | grep -F "\"device\":\"$1\""; }

mkdir -p "$OUT"; : > "$LOG"
cp "$HERE/smartstore" /tmp/
modprobe configfs
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
if ! modprobe gpio-sim 2>/dev/null && ! insmod "$HERE/gpio-sim.ko"; then
    echo "CHECK ok    SKIPPED: this kernel has no gpio-sim and there is no gpio-sim.ko for it"
    exit 0
fi
mkdir -p $SIM/bank0/line7/hog
echo 8 > $SIM/bank0/num_lines
echo lab-shelf > $SIM/bank0/label
echo somebody > $SIM/bank0/line7/hog/name
echo input > $SIM/bank0/line7/hog/direction
echo 1 > $SIM/live
check "a chip is there" $? "$(ls /dev/gpiochip* | tr '\n' ' ')"
write_gpio_config
/tmp/smartstore doctor --config "$CONFIG" | grep -F lift- > /tmp/doctor.txt
grep -F lift-1 /tmp/doctor.txt | grep -q 'chip lab-shelf' && grep -F lift-beyond /tmp/doctor.txt | grep -q 'has 8 lines' &&
    grep -F lift-held /tmp/doctor.txt | grep -q 'held by somebody'
check "doctor names the chip, who holds a line, and the line that is not there" $? "$(tr '\n' ';' < /tmp/doctor.txt)"
start_daemon
check "the daemon is up" $? "process $daemon, $(cut -d' ' -f1 /proc/uptime) s after boot"
[ "$failed" = 0 ] || { tail -n 20 "$LOG"; exit 1; }
wait_until 30 "the lines are held" has_state lift-1 running
check "lines are held by the label of their chip" $? "A3 is $(cat "$(line 3)/value"), A4 is $(cat "$(line 5)/value")"

pull 3 down; wait_until 20 "A3 is put back" lifted "A3 false"
check "what is put back is said" $? "$(lifts | tr '\n' ';')"
pull 3 up; wait_until 20 "A3 is lifted" lifted "A3 true"
pull 5 down; wait_until 20 "A4 is put back" lifted "A4 false"
[ "$(lifts | tr '\n' ';')" = "A3 false;A3 true;A4 false;" ]
check "each change once, in order, of every line" $? "$(lifts | tr '\n' ';')"
# Faster than contacts bounce: no process is started in between.
contact=$(line 5)/pull
for _ in 1 2 3 4 5 6 7 8 9 10; do echo pull-up > "$contact"; echo pull-down > "$contact"; done
echo pull-up > "$contact"; wait_until 20 "A4 is lifted" lifted "A4 true"
[ "$(lifts | grep -c A4)" -lt 12 ]
check "a contact that bounces is few lifts" $? "$(lifts | grep -c A4) of 22 changes of A4 were said"

wait_until 30 "endpoint.missing" has_condition endpoint.missing lift-held && detail_of lift-held | grep -q 'held by somebody'
check "a line that somebody holds is named with its holder" $? "$(detail_of lift-held)"
detail_of lift-beyond | grep -q 'there is no line 99'
check "a line that is not there is named" $? "$(detail_of lift-beyond)"

echo 0 > $SIM/live
wait_until 30 "endpoint.missing" has_condition endpoint.missing lift-1
check "a chip that goes is missed" $? "$(detail_of lift-1)"
echo 1 > $SIM/live
wait_until 30 "no endpoint.missing" has_no_condition endpoint.missing lift-1
pull 3 down; wait_until 20 "A3 is put back" lifted "A3 false"
check "it is taken again when it is back" $? "$(lifts | tail -n 1)"

stop_daemon TERM
! grep -qi panicked "$LOG"
check "nothing has panicked" $? "$(wc -l < "$LOG") lines of log"
cp "$STORE"/data/journal.db "$OUT/" 2>/dev/null
exit $failed
