//! Serial and HID scanners: framing, GM65 commands, key events, and what a code means.
