//! The program's own pages in memory: giving back what only starting needed.
//!
//! Starting reads a configuration, compiles expressions, opens a database, shakes hands: it runs through most of the
//! program once, and the kernel maps 64 KiB of it around every page that was touched. Those pages would stay resident,
//! counted against the gateway, until memory is short. They are the file's own pages, so giving them back loses
//! nothing: what is needed again comes back from the page cache, one minor fault for 64 KiB.

use std::io;

/// Gives back the resident pages of the program's code and its libraries'. Those in use come back by themselves.
///
/// # Errors
/// When `/proc/self/maps` cannot be read. A mapping that the kernel does not want to let go is left as it is.
pub fn release_code_pages() -> io::Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    maps.lines().filter_map(code_mapping).for_each(|(start, length)| release(start, length));
    Ok(())
}

/// Address and length of a mapping that holds code of a file and cannot be written (proc_pid_maps(5)).
fn code_mapping(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, permissions) = (fields.next()?, fields.next()?);
    let from_a_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    if permissions != "r-xp" || !from_a_file {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[expect(unsafe_code, reason = "giving pages back is unsafe in general: private changes to them would be lost")]
fn release(start: usize, length: usize) {
    // SAFETY: the mapping is private, of a file, executable and not writable: its pages are the file's own and have no
    // private changes (position-independent code has no relocations in its text), so dropping them changes nothing
    // that can be read. The addresses are the kernel's own; one that is no longer mapped is answered with an error.
    let _kept_if_refused = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_a_file_holds_and_nobody_can_write_is_given_back() {
        let code = "55d0c0a00000-55d0c0a01000 r-xp 00396000 08:01 131 /usr/bin/smartstore";
        assert_eq!(code_mapping(code), Some((0x55d0_c0a0_0000, 0x1000)));
        for other in [
            "55d0c0a00000-55d0c0a01000 r--p 00396000 08:01 131 /usr/bin/smartstore",
            "55d0c0a00000-55d0c0a01000 rwxp 00396000 08:01 131 /usr/bin/smartstore",
            "55d0c0a00000-55d0c0a01000 r-xs 00396000 08:01 131 /usr/bin/smartstore",
            "7ffd5a1fe000-7ffd5a200000 r-xp 00000000 00:00 0 [vdso]",
            "7ffd5a1fe000-7ffd5a200000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(code_mapping(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_code_in_memory() {
        let resident = || -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let before = resident();
        release_code_pages().unwrap();
        let after = resident();
        assert!(after < before, "{before} KiB of files resident before, {after} after");
    }
}
