//! Facts and settings of screens: as the files have them, then checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::device::{Checks, RawDevice};
use crate::transport::panel::is_connector;
use crate::types::{Diagnostic, Endpoint, PageKind, Span, units};

/// What is true of a screen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFacts {
    /// Its page: "signage", "shelf" or "mirror".
    #[schemars(with = "String", extend("enum" = ["signage", "shelf", "mirror"]))]
    page: Spanned<String>,
    /// How often the page says that it lives, with its unit.
    #[schemars(with = "String")]
    heartbeat: Spanned<String>,
    /// Heartbeats that may be missing before its page is loaded anew.
    #[schemars(with = "u32", range(min = 1, max = 20))]
    missing: Spanned<u32>,
    /// Times that it is loaded anew before its browser is started anew.
    #[schemars(with = "u32", range(min = 0, max = 20))]
    reloads: Spanned<u32>,
    /// Times that the browser is started anew before only a person can help.
    #[schemars(with = "u32", range(min = 0, max = 20))]
    restarts: Spanned<u32>,
}

/// What a shop may say of a screen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChoices {
    /// The language it begins in: "zh-CN" (default) or "en".
    #[schemars(with = "Option<String>", extend("enum" = ["zh-CN", "en"]))]
    language: Option<Spanned<String>>,
    /// The debugging port of its kiosk browser on this machine, such as "127.0.0.1:9222": over it a page that is silent
    /// is loaded anew. Without it the gateway only says that the screen is dark.
    #[schemars(with = "Option<String>")]
    cdp: Option<Spanned<String>>,
    /// The graphics connector that the panel hangs on, as `/sys/class/drm` names it, such as "card0-HDMI-A-1". While
    /// the kernel says that nothing is connected there, or that it is off, nothing counts as played.
    #[schemars(with = "Option<String>")]
    panel: Option<Spanned<String>>,
    /// File that holds what a browser on another machine must show, at least 16 characters; relative to the
    /// configuration. Without it only a browser on this machine is let in.
    #[schemars(with = "Option<String>")]
    token_file: Option<Spanned<String>>,
    /// What stands before the token in the address that a phone is given, such as "https://shop.example/h/". Without it
    /// the address is this gateway's own: where the console listens, if that is one address, else what the browser that
    /// shows the page calls it. A kiosk on the gateway calls it 127.0.0.1, which no phone can reach: say it here then.
    #[schemars(with = "Option<String>")]
    hand_off: Option<Spanned<String>>,
}

/// A screen, checked.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) page: PageKind,
    pub(super) heartbeat: Duration,
    pub(super) missing: u32,
    pub(super) reloads: u32,
    pub(super) restarts: u32,
    pub(super) language: String,
    /// Its browser's debugging port, and where the configuration says so.
    pub(super) browser: Option<(SocketAddr, Span)>,
    pub(super) panel: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) hand_off: Option<String>,
}

impl Profile {
    /// Its browser's debugging port.
    pub(super) fn browser(&self) -> Option<SocketAddr> {
        self.browser.as_ref().map(|(address, _)| *address)
    }
}

pub(super) fn read(raw: &RawDevice<'_>) -> Result<Profile, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let facts: Option<RawFacts> = checks.read(&raw.facts);
    let choices: Option<RawChoices> = checks.read(&raw.settings);
    if raw.endpoint != Endpoint::Screen {
        let words = (format!("a screen cannot be at {}:", raw.endpoint.scheme()), "its page connects to us: screen:");
        checks.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", words);
    }
    let (Some(facts), Some(choices)) = (facts, choices) else { return Err(checks.mistakes()) };
    let page = page(&mut checks, raw, &facts.page);
    let heartbeat = units::parse_duration(facts.heartbeat.get_ref()).ok();
    let heartbeat = heartbeat.filter(|every| (Duration::from_secs(1)..=Duration::from_secs(60)).contains(every));
    if heartbeat.is_none() {
        let words = (format!("heartbeat is {:?}", facts.heartbeat.get_ref()), "from \"1s\" to \"60s\"");
        checks.add(&raw.facts, facts.heartbeat.span(), "out-of-range", words);
    }
    checks.range(&raw.facts, "missing", &facts.missing, &(1..=20));
    checks.range(&raw.facts, "reloads", &facts.reloads, &(0..=20));
    checks.range(&raw.facts, "restarts", &facts.restarts, &(0..=20));
    let (language, browser) = (language(&mut checks, raw, &choices), browser(&mut checks, raw, &choices));
    let (hand_off, panel) = (hand_off(&mut checks, raw, &choices), panel(&mut checks, raw, &choices));
    match (page, heartbeat) {
        (Some(page), Some(heartbeat)) if checks.passed() => Ok(Profile {
            page,
            heartbeat,
            missing: *facts.missing.get_ref(),
            reloads: *facts.reloads.get_ref(),
            restarts: *facts.restarts.get_ref(),
            language,
            browser,
            panel,
            token_file: choices.token_file.map(|file| beside(raw, file.get_ref())),
            hand_off,
        }),
        _ => Err(checks.mistakes()),
    }
}

fn page(checks: &mut Checks, raw: &RawDevice<'_>, word: &Spanned<String>) -> Option<PageKind> {
    let kinds = [PageKind::Signage, PageKind::Shelf, PageKind::Mirror];
    let found = kinds.into_iter().find(|kind| kind.as_str() == word.get_ref());
    if found.is_none() {
        let words = (format!("there is no page {:?}", word.get_ref()), "\"signage\", \"shelf\" or \"mirror\"");
        checks.add(&raw.facts, word.span(), "invalid-value", words);
    }
    found
}

fn language(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices) -> String {
    let Some(word) = &choices.language else { return "zh-CN".to_owned() };
    if !matches!(word.get_ref().as_str(), "zh-CN" | "en") {
        let words = (format!("pages do not speak {:?}", word.get_ref()), "\"zh-CN\" or \"en\"");
        checks.add(&raw.settings, word.span(), "invalid-value", words);
    }
    word.get_ref().clone()
}

/// Whoever reaches the port owns the browser: it must not be anywhere but here.
fn browser(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices) -> Option<(SocketAddr, Span)> {
    let text = choices.cdp.as_ref()?;
    let address = text.get_ref().parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
    if address.is_none() {
        let words = (format!("cdp is {:?}", text.get_ref()), "a loopback address and a port: \"127.0.0.1:9222\"");
        checks.add(&raw.settings, text.span(), "invalid-value", words);
    }
    address.map(|address| (address, text.span()))
}

fn panel(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices) -> Option<String> {
    let text = choices.panel.as_ref()?;
    if !is_connector(text.get_ref()) {
        let words =
            (format!("panel is {:?}", text.get_ref()), "a name below /sys/class/drm, such as \"card0-HDMI-A-1\"");
        checks.add(&raw.settings, text.span(), "invalid-value", words);
    }
    Some(text.get_ref().clone())
}

fn hand_off(checks: &mut Checks, raw: &RawDevice<'_>, choices: &RawChoices) -> Option<String> {
    let text = choices.hand_off.as_ref()?;
    let url = text.get_ref();
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if !is_web || !url.ends_with('/') || url.len() > 120 || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        let help = "an address of at most 120 characters that ends with /, such as \"https://shop.example/h/\"";
        checks.add(&raw.settings, text.span(), "invalid-value", (format!("hand_off is {url:?}"), help));
    }
    Some(url.clone())
}

/// A file that the configuration names.
fn beside(raw: &RawDevice<'_>, file: &str) -> PathBuf {
    raw.settings.file.parent().unwrap_or(Path::new("")).join(file)
}
