//! The program's own pages in memory: giving back what only starting needed.
//!
//! Starting reads a configuration, compiles expressions, opens a database, shakes hands: it runs through most of the
//! program once, and the kernel maps 64 KiB of it around every page that was touched. Those pages would stay resident,
//! counted against the gateway, until memory is short. They are the file's own pages, so giving them back loses
//! nothing: what is needed again comes back from the page cache, one minor fault for 64 KiB.

use std::io;

/// Gives back the resident pages of the program's code and constants and its libraries'. Those in use come back by
/// themselves.
///
/// # Errors
/// When `/proc/self/smaps` cannot be read. A mapping that the kernel does not want to let go is left as it is.
pub fn release_code_pages() -> io::Result<()> {
    let maps = std::fs::read_to_string("/proc/self/smaps")?;
    unchanged_mappings(&maps).into_iter().for_each(|(start, length)| release(start, length));
    Ok(())
}

/// Address and length of every mapping of a file that cannot be written and of which no page has been changed: code,
/// constants, and not what the loader has put addresses into (proc_pid_smaps(5)).
fn unchanged_mappings(maps: &str) -> Vec<(usize, usize)> {
    let (mut found, mut last) = (Vec::new(), None);
    for line in maps.lines() {
        match line.strip_prefix("Anonymous:") {
            Some(changed) if changed.trim() == "0 kB" => found.extend(last.take()),
            Some(_) => last = None,
            None => last = mapping(line).or(last),
        }
    }
    found
}

/// The range that a mapping's first line names, if it is one of a file that cannot be written; every other first line
/// ends the mapping before.
fn mapping(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, permissions) = (fields.next()?, fields.next()?);
    let from_a_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    if !matches!(permissions, "r-xp" | "r--p") || !from_a_file {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[expect(unsafe_code, reason = "giving pages back is unsafe in general: private changes to them would be lost")]
fn release(start: usize, length: usize) {
    // SAFETY: the mapping is private, of a file and not writable, and the kernel has counted no page of it that differs
    // from the file (the loader has done its work before `main`), so dropping them changes nothing that can be read.
    // The addresses are the kernel's own; one that is no longer mapped is answered with an error.
    let _kept_if_refused = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_file_holds_and_nobody_has_changed_or_can_write_is_given_back() {
        let entry = |range: &str, permissions: &str, path: &str, changed: u32| {
            format!(
                "{range} {permissions} 00396000 08:01 131 {path}\nRss: 900 kB\nAnonymous:  {changed} kB\nVmFlags: rd\n"
            )
        };
        let file = "/usr/bin/smartstore";
        let maps = [
            entry("1000-3000", "r-xp", file, 0),
            entry("4000-5000", "r--p", file, 0),
            entry("6000-7000", "r--p", file, 4),
            entry("8000-9000", "rw-p", file, 0),
            entry("a000-b000", "r-xs", file, 0),
            entry("c000-d000", "r-xp", "[vdso]", 0),
            entry("e000-f000", "r-xp", "", 0),
        ];
        assert_eq!(unchanged_mappings(&maps.concat()), [(0x1000, 0x2000), (0x4000, 0x1000)]);
        assert_eq!(unchanged_mappings(""), []);
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
