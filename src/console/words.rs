//! The console's words in two languages, the same files for the page that comes first and for its scripts.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::{HeaderMap, header};

use super::gate::cookie;

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    En,
    Zh,
}

type Words = BTreeMap<String, String>;

static EN: OnceLock<Words> = OnceLock::new();
static ZH: OnceLock<Words> = OnceLock::new();

impl Language {
    /// As the page's `lang` has it.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// Its short name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// Its file.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::En => include_str!("web/words.en.json"),
            Self::Zh => include_str!("web/words.zh.json"),
        }
    }

    fn words(self) -> &'static Words {
        let words = match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        };
        words.get_or_init(|| serde_json::from_str(self.text()).unwrap_or_default())
    }

    /// A word, if this language has one of its own.
    pub(super) fn own(self, key: &str) -> Option<&'static str> {
        self.words().get(key).map(String::as_str)
    }

    /// A word.
    pub(super) fn say(self, key: &'static str) -> &'static str {
        self.own(key).unwrap_or(key)
    }

    /// What the browser was told to use, else what it asks for.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, "lang") {
            Some("zh") => Self::Zh,
            Some("en") => Self::En,
            _ => headers.get(header::ACCEPT_LANGUAGE).and_then(|wish| wish.to_str().ok()).map_or(Self::En, wished),
        }
    }
}

/// The first of our languages in an `Accept-Language` (RFC 9110, 12.5.4), by weight.
fn wished(wish: &str) -> Language {
    let weighed = wish.split(',').map(|one| {
        let (tag, weight) = one.split_once(";q=").unwrap_or((one, "1"));
        (tag.trim().to_ascii_lowercase(), weight.trim().parse::<f32>().unwrap_or(0.0))
    });
    let ours = weighed.filter_map(|(tag, weight)| match tag.get(..2) {
        Some("zh") => Some((Language::Zh, weight)),
        Some("en") => Some((Language::En, weight)),
        _ => None,
    });
    // The first of equals.
    let best = ours.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(Language::En, |(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Condition;

    #[test]
    fn the_browsers_wish_is_followed() {
        for (wish, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Zh),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::En),
            ("de,fr;q=0.5", Language::En),
            ("en;q=0.3, zh-TW;q=0.7", Language::Zh),
            ("", Language::En),
        ] {
            assert_eq!(wished(wish), language, "{wish}");
        }
    }

    #[test]
    fn both_languages_have_the_same_words_and_chinese_has_every_condition() {
        let keys = |language: Language| language.words().keys().filter(|key| !key.contains('.')).collect::<Vec<_>>();
        assert!(keys(Language::En).len() > 50);
        assert_eq!(keys(Language::En), keys(Language::Zh));
        for condition in Condition::ALL {
            for what in ["cond", "help"] {
                let key = format!("{what}.{}", condition.code());
                assert!(Language::Zh.own(&key).is_some(), "{key}");
            }
        }
    }
}
