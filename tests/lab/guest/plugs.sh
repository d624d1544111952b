# The cables of the lab: two real USB devices behind dummy_hcd, made by the kernel's gadget functions.
#
#   keyboard   HID function; the scanner's end is /dev/hidg0, ours an input device
#   serial     CDC ACM function; the scanner's end is /dev/ttyGS0, ours a /dev/ttyACM0
#
# Plugging and unplugging binds and unbinds the gadget: the host side sees a cable that comes and goes.
# Sourced by the guest's scripts; needs wait_until of daemon.sh.

GADGETS=/sys/kernel/config/usb_gadget
KEYBOARD=/dev/input/by-id/usb-Lab_Keyboard_Scanner_KBD01-event-kbd
SERIAL=/dev/serial/by-id/usb-Lab_Serial_Scanner_TTY01-if00

# The boot keyboard's report descriptor: USB HID 1.11, appendix E.6.
BOOT_KEYBOARD='05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 01
95 05 75 01 05 08 19 01 29 05 91 02 95 01 75 03 91 01 95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00 c0'

# prepare_plugs: drivers, udev (it makes the by-id names) and both devices, unplugged.
prepare_plugs() {
    modprobe dummy_hcd num=2
    modprobe -a libcomposite evdev usbhid hid_generic cdc_acm
    mount -t configfs none /sys/kernel/config 2>/dev/null
    /usr/lib/systemd/systemd-udevd --daemon
    local hid acm
    gadget keyboard 0x0101 'Keyboard Scanner' KBD01
    hid=$GADGETS/keyboard/functions/hid.0
    mkdir "$hid"
    echo 1 > "$hid/protocol"; echo 1 > "$hid/subclass"; echo 8 > "$hid/report_length"
    printf "$(printf '\\x%s' $BOOT_KEYBOARD)" > "$hid/report_desc"
    ln -s "$hid" "$GADGETS/keyboard/configs/c.1/"
    gadget serial 0x0102 'Serial Scanner' TTY01
    acm=$GADGETS/serial/functions/acm.0
    mkdir "$acm"
    ln -s "$acm" "$GADGETS/serial/configs/c.1/"
}

# gadget NAME PRODUCT_ID PRODUCT SERIAL_NUMBER
gadget() {
    local at=$GADGETS/$1
    mkdir "$at" "$at/strings/0x409" "$at/configs/c.1"
    # 1209 is the vendor number of pid.codes; products below 0010 and 0100-ff are nobody's: good for tests only.
    echo 0x1209 > "$at/idVendor"; echo "$2" > "$at/idProduct"
    echo Lab > "$at/strings/0x409/manufacturer"; echo "$3" > "$at/strings/0x409/product"; echo "$4" > "$at/strings/0x409/serialnumber"
}

port_of() { case $1 in keyboard) echo dummy_udc.0 ;; serial) echo dummy_udc.1 ;; esac; }
node_of() { case $1 in keyboard) echo "$KEYBOARD" ;; serial) echo "$SERIAL" ;; esac; }

# plug NAME: the cable goes in; returns when our end has its name and the scanner's end can be written to.
plug() {
    port_of "$1" > "$GADGETS/$1/UDC"
    wait_until 20 "$1's device node" test -e "$(node_of "$1")" || return 1
    case $1 in
        keyboard) wait_until 5 /dev/hidg0 test -c /dev/hidg0 ;;
        serial) stty -F /dev/ttyGS0 raw -echo ;;
    esac
}

# unplug NAME: returns when the name is gone.
unplug() {
    echo > "$GADGETS/$1/UDC"
    wait_until 20 "$1's device node to go" test ! -e "$(node_of "$1")"
}
