//! What screens show and what shoppers do at them; what can be asked of screens.

use std::fmt;

use uuid::Uuid;

use super::{FacingId, Gtin, SceneId, Sha256, Sku, Timestamp, ZoneId};

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlayResult {
    /// Shown for its whole time.
    Complete,
    /// Something else came before its time was over, or too little of it was to be seen.
    Cut,
    /// It could not be shown.
    Error,
}

impl PlayResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Complete, Self::Cut, Self::Error];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cut => "cut",
            Self::Error => "error",
        }
    }

    /// The result the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

/// Proof that a screen has played an item once. Its page says it; its driver checks it and lets it in once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenPlay {
    /// Unique for ever, made by the page (UUIDv7, RFC 9562).
    pub play: Uuid,
    /// Where on the screen.
    pub zone: ZoneId,
    /// What.
    pub item: SceneId,
    /// SHA-256 of the file that was shown; `None`: the item has no file of its own.
    pub sha256: Option<Sha256>,
    /// Revision of the content.
    pub rev: u64,
    /// When it began, by the page's wall clock.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// How long it was shown, by a clock that does not jump, in milliseconds.
    pub shown_ms: u32,
    /// How it ended.
    pub result: PlayResult,
    /// What part of its planned pictures was painted while the page was visible, 0 to 100.
    pub visible_percent: u8,
    /// What had it shown, when it was not the playlist.
    pub trigger: Option<SceneId>,
    /// Whether it was an emergency override.
    pub overridden: bool,
}

macro_rules! verbs {
    ($($name:ident = $word:literal,)*) => {
        /// What somebody did, in the words of the platform that these shops come from.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb { $(#[doc = concat!("`", $word, "`.")] $name,)* }

        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The contract's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

verbs! {
    BodySensor = "BODY_SENSOR",
    ItemSensor = "ITEM_SENSOR",
    ItemClick = "ITEM_CLICK",
    SkuClick = "SKU_CLICK",
    ThemeMakeupClick = "THEME_MAKEUP_CLICK",
    SampleClick = "SAMPLE_CLICK",
    ReceiveCoupons = "RECEIVE_COUPONS",
    BuyClickStart = "BUY_CLICK_START",
    BuyClick = "BUY_CLICK",
    ItemFavor = "ITEM_FAVOR",
    PhotoClick = "PHOTO_CLICK",
    GetPhoto = "GET_PHOTO",
    ShareClick = "SHARE_CLICK",
    GameStart = "GAME_START",
    GameOverWithoutPromotion = "GAME_OVER_WITHOUT_PROMOTION",
    WinningPrize = "WINNING_PRIZE",
    VendingMachineShipment = "VENDING_MACHINE_SHIPMENT",
    ShipCount = "SHIP_CNT",
}

impl Verb {
    /// The verb the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|verb| verb.as_str() == word)
    }
}

/// Somebody did something at a screen or a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenAction {
    /// What.
    pub verb: Verb,
    /// When, by the clock of whoever noticed it.
    pub op_time: Timestamp,
    /// Unique for ever: who receives it removes duplicates by it.
    pub outer_biz_id: Uuid,
    /// The item that was shown.
    pub item: Option<SceneId>,
    /// The product it was about.
    pub sku: Option<Sku>,
    /// The same by its trade item number.
    pub gtin: Option<Gtin>,
    /// The place on the shelf.
    pub facing: Option<FacingId>,
    /// Of a shelf's sensor: taken off (`true`) or put back.
    pub lifted: Option<bool>,
    /// The session at the screen: a new one for every shopper, bound to nobody but a member who has shown their code.
    pub session: Option<Uuid>,
}

/// Which page a screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageKind {
    /// Playlists.
    Signage,
    /// Products to look at and to take off a shelf.
    Shelf,
    /// A make-up mirror.
    Mirror,
}

impl PageKind {
    /// Its word, in profiles and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signage => "signage",
            Self::Shelf => "shelf",
            Self::Mirror => "mirror",
        }
    }
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a screen is asked to show: an item of its content, `product:SKU`, `facing:PLACE`, `verdict:WORD`, or `home`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// What.
    pub scene: SceneId,
    /// How long, in milliseconds; `None`: as the content says.
    pub for_ms: Option<u32>,
    /// The session that a member has begun at the screen's station by it.
    pub session: Option<Uuid>,
}

/// Where new content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentSource {
    /// The signed manifest; its files stand beside it, in `assets/`.
    pub url: String,
    /// The manifest's SHA-256.
    pub sha256: Sha256,
}

/// What comes before everything that a screen would show, on every screen, until it is over or called off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenOverride {
    /// What is said, 1 to [`ScreenOverride::TEXT_CHARACTERS`] characters. Empty: the override before is called off.
    pub text: String,
    /// When it is over by itself.
    pub until: Option<Timestamp>,
    /// Who says so, 1 to 64 characters.
    pub by: String,
}

impl ScreenOverride {
    /// Longest text, in characters: what is read from across a shop.
    pub const TEXT_CHARACTERS: usize = 280;
    /// Longest name, in characters.
    pub const BY_CHARACTERS: usize = 64;

    /// Whether text and name are within their bounds.
    pub fn is_well_formed(&self) -> bool {
        let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
        self.text.chars().count() <= Self::TEXT_CHARACTERS
            && plain(&self.text)
            && (1..=Self::BY_CHARACTERS).contains(&self.by.chars().count())
            && plain(&self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_survives_its_word() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str()), Some(*verb));
        }
        assert_eq!(Verb::parse("item_click"), None);
    }

    #[test]
    fn an_override_has_an_author_and_an_end_to_its_length() {
        let of = |text: &str, by: &str| ScreenOverride { text: text.into(), until: None, by: by.into() };
        assert!(of("请从东门离开", "Li Wei").is_well_formed() && of("", "Li Wei").is_well_formed());
        assert!(!of("leave", "").is_well_formed() && !of("a\u{7}", "Li Wei").is_well_formed());
        assert!(!of(&"x".repeat(281), "Li Wei").is_well_formed());
    }
}
