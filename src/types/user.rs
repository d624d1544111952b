//! Who may use the console, and the file that says so: one user a line, `#` begins a remark.
//!
//! ```text
//! Li Wei:technician:pbkdf2-sha256:600000:<salt, hexadecimal>:<hash, hexadecimal>
//! ```

use std::fmt;
use std::num::NonZeroU32;

/// What a user of the console may do. Each may do what the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserRole {
    /// Look.
    Viewer,
    /// Also act on devices, lanes and sales.
    Technician,
    /// Also change the configuration.
    Admin,
}

impl UserRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Technician, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Technician => "technician",
            Self::Admin => "admin",
        }
    }

    /// The role that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A PIN as it is kept: PBKDF2-HMAC-SHA-256 (RFC 8018).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinHash {
    /// How often the function is applied.
    pub iterations: NonZeroU32,
    /// 16 random bytes.
    pub salt: Vec<u8>,
    /// 32 bytes.
    pub hash: Vec<u8>,
}

impl PinHash {
    /// The one way that is known.
    const SCHEME: &str = "pbkdf2-sha256";
    /// More would keep a small box busy for seconds.
    const ITERATIONS_MOST: u32 = 10_000_000;
}

/// Somebody who may use the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, as it stands in the audit trail.
    pub name: String,
    /// What they may do.
    pub role: UserRole,
    /// What their PIN is compared with.
    pub pin: PinHash,
}

/// A line of the file that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct UserMistake {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl User {
    /// Whether a name is one: 1 to 64 characters, no control character, no colon.
    pub fn is_name(name: &str) -> bool {
        let is_short = (1..=64).contains(&name.chars().count());
        is_short && name.trim() == name && !name.starts_with('#') && !name.chars().any(|c| c.is_control() || c == ':')
    }

    /// Everybody in a file.
    ///
    /// # Errors
    /// The first line that names nobody, or somebody again.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, UserMistake> {
        let mut users: Vec<Self> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mistake = |what| UserMistake { line: at + 1, what };
            let user = Self::parse(line).map_err(mistake)?;
            if users.iter().any(|known| known.name == user.name) {
                return Err(mistake("this name stands twice"));
            }
            users.push(user);
        }
        Ok(users)
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, role, scheme, iterations, salt, hash] = fields[..] else {
            return Err("six fields are wanted, with colons between: use `smartstore user add`");
        };
        if !Self::is_name(name) {
            return Err("the name must have 1 to 64 characters");
        }
        let role = UserRole::parse(role).ok_or("the role must be viewer, technician or admin")?;
        if scheme != PinHash::SCHEME {
            return Err("the PIN is kept in a way that is not known here: use `smartstore user add`");
        }
        let iterations = iterations.parse().ok().filter(|n: &NonZeroU32| n.get() <= PinHash::ITERATIONS_MOST);
        let pin = PinHash {
            iterations: iterations.ok_or("the fourth field is the number of iterations, at most 10,000,000")?,
            salt: unhex(salt).filter(|salt| salt.len() == 16).ok_or("the fifth field is the salt: 32 digits")?,
            hash: unhex(hash).filter(|hash| hash.len() == 32).ok_or("the sixth field is the hash: 64 digits")?,
        };
        Ok(Self { name: name.to_owned(), role, pin })
    }
}

/// As a line of the file.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, pin: PinHash { iterations, salt, hash } } = self;
        write!(f, "{name}:{}:{}:{iterations}:{}:{}", role.as_str(), PinHash::SCHEME, hex(salt), hex(hash))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| digits.as_bytes().chunks(2).map(pair).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> String {
        format!("{name}:admin:pbkdf2-sha256:1000:{}:{}", "0a".repeat(16), "ff".repeat(32))
    }

    #[test]
    fn a_user_survives_the_file() {
        let text = format!("# who\n\n{}\n{}\n", line("Li Wei"), line("李伟"));
        let users = User::parse_all(&text).unwrap();
        assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Li Wei", "李伟"]);
        assert_eq!(users[0].to_string(), line("Li Wei"));
    }

    #[test]
    fn a_line_that_names_nobody_says_where_and_why() {
        for (text, at, what) in [
            (line("a:b"), 1, "six fields"),
            (format!("\n{}", line("")), 2, "the name"),
            (line("a").replace("admin", "root"), 1, "the role"),
            (line("a").replace("pbkdf2-sha256", "plain"), 1, "not known"),
            (line("a").replace(":1000:", ":0:"), 1, "iterations"),
            (line("a").replace(":1000:", ":99999999999:"), 1, "iterations"),
            (line("a").replace("0a0a", "0g0a"), 1, "the salt"),
            (line("a").replace("ffff", "ff"), 1, "the hash"),
            (format!("{}\n{}", line("a"), line("a")), 2, "twice"),
        ] {
            let mistake = User::parse_all(&text).unwrap_err();
            assert!(mistake.line == at && mistake.what.contains(what), "{text}: {mistake}");
        }
    }
}
