//! How long somebody stood somewhere, as far as a published count may tell.

/// Classes of dwell. The last three together are those who stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dwell {
    /// Never near enough to have come in.
    Passed,
    /// Came in and did not stay.
    Visited,
    /// Stayed, for less than a quarter of an hour.
    Stayed,
    /// Stayed for a quarter of an hour or longer.
    Stayed15Min,
    /// Stayed for an hour or longer.
    Stayed60Min,
}

impl Dwell {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [Self::Passed, Self::Visited, Self::Stayed, Self::Stayed15Min, Self::Stayed60Min];

    /// As the cloud reads it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Visited => "visited",
            Self::Stayed => "stayed",
            Self::Stayed15Min => "stayed-15min",
            Self::Stayed60Min => "stayed-60min",
        }
    }

    /// Its place in [`Dwell::ALL`].
    pub const fn number(self) -> usize {
        self as usize
    }
}
