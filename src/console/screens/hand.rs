//! A product, or a photo from a mirror, onto a shopper's phone: a token that is good for one scan, and a page that the
//! phone keeps.
//!
//! A photo leaves with the first scan and is then nowhere on the gateway any more. It goes to the phone that scanned
//! and nowhere else; while nobody scans, it stays behind the mirror and goes when its shopper goes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};

use super::Screens;
use crate::transport::Reflection;
use crate::types::{DeviceId, Sku, wipe};
use crate::wire::coupon::base64url_encode;
use crate::wire::screen::{Product, Words};

/// How long a token is good.
const GOOD_FOR: Duration = Duration::from_secs(120);
/// Tokens at a time; the oldest gives way.
const HANDS: usize = 256;
/// Where a photo stands in its page.
const PHOTO: &str = "{photo}";
/// A page on a phone reaches nothing: what it shows is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What is on its way to phones.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<Mutex<BTreeMap<String, Hand>>>);

#[derive(Debug, Clone)]
struct Hand {
    /// What the screen calls it: not the token, which only the phone learns.
    number: String,
    screen: String,
    what: What,
    language: String,
    until: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Product(Sku),
    /// A mirror's photo, by its number.
    Photo(u32),
}

impl Hands {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Hand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lay(&self, token: String, hand: Hand, now: Instant) {
        let mut hands = self.locked();
        hands.retain(|_, hand| hand.until > now);
        while hands.len() >= HANDS {
            let oldest = hands.iter().min_by_key(|(_, hand)| hand.until).map(|(token, _)| token.clone());
            let Some(oldest) = oldest else { break };
            hands.remove(&oldest);
        }
        hands.insert(token, hand);
    }

    /// Once.
    fn take(&self, token: &str, now: Instant) -> Option<Hand> {
        self.locked().remove(token).filter(|hand| hand.until > now)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    sku: Option<String>,
    #[serde(default)]
    photo: Option<u32>,
    #[serde(default)]
    lang: Option<String>,
}

#[derive(Serialize)]
struct Handed {
    hand: String,
    url: String,
    svg: String,
    expires_ms: u64,
}

#[derive(Serialize)]
struct Scanned<'a> {
    hand: &'a str,
}

pub(super) async fn make(
    State(screens): State<Screens>,
    Path(screen): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Response {
    let Some(seat) = screens.seats.at(&screen) else { return StatusCode::NOT_FOUND.into_response() };
    let what = match screens.wanted(&screen, &wanted) {
        Ok(what) => what,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let token = screens.clock.random_key().iter().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    });
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = screens.phones.map_or_else(|| host.to_owned(), |phones| phones.to_string());
    let url = match &seat.facts.hand_off {
        Some(before) => format!("{before}{token}"),
        None => format!("{}://{host}/h/{token}", if screens.is_tls { "https" } else { "http" }),
    };
    let Ok(code) = QrCode::with_error_correction_level(&url, EcLevel::M) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let svg = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    let language = if wanted.lang.as_deref() == Some("en") { "en" } else { "zh-CN" }.to_owned();
    let (number, now) = (screens.clock.random_uuid().to_string(), screens.clock.now());
    let hand = Hand { number: number.clone(), screen, what, language, until: now + GOOD_FOR };
    screens.hands.lay(token, hand, now);
    let expires_ms = u64::try_from(GOOD_FOR.as_millis()).unwrap_or(u64::MAX);
    Json(Handed { hand: number, url, svg, expires_ms }).into_response()
}

impl Screens {
    /// What is to be handed over, if there is such a thing.
    fn wanted(&self, screen: &str, wanted: &Wanted) -> Result<What, &'static str> {
        match (&wanted.sku, wanted.photo) {
            (Some(sku), None) => {
                let active = self.content.active();
                let is_known = active.manifest.as_ref().is_some_and(|manifest| manifest.product(sku).is_some());
                let sku = Sku::new(sku).ok().filter(|_| is_known);
                sku.map(What::Product).ok_or("there is no such product\n")
            }
            (None, Some(number)) => {
                let mirror = DeviceId::new(screen).ok();
                let is_there = mirror.is_some_and(|mirror| self.mirrors.has_photo(&mirror, number));
                is_there.then_some(What::Photo(number)).ok_or("there is no such photo\n")
            }
            _ => Err("either a sku or a photo\n"),
        }
    }

    /// The page for a phone; nothing: it is no more.
    fn handed(&self, hand: &Hand) -> Option<Bytes> {
        match &hand.what {
            What::Product(sku) => {
                let active = self.content.active();
                let product = active.manifest.as_ref()?.product(sku.as_str())?;
                Some(keepsake(product, &hand.language).into())
            }
            What::Photo(number) => {
                let photo = self.mirrors.take_photo(&DeviceId::new(&hand.screen).ok()?, *number)?;
                Some(Bytes::from_owner(Wiped(photo_page(&photo, &hand.language))))
            }
        }
    }
}

/// A page that is overwritten when it has been sent.
struct Wiped(Vec<u8>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

pub(super) async fn open(State(screens): State<Screens>, Path(token): Path<String>, method: Method) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    // A program that only asks whether something is there has not scanned.
    if method == Method::HEAD {
        return (head, "").into_response();
    }
    let hand = screens.hands.take(&token, screens.clock.now());
    let page = hand.as_ref().and_then(|hand| screens.handed(hand));
    let (Some(hand), Some(page)) = (hand, page) else {
        let gone = "这个二维码已经用过或已过期，请在屏幕上重新生成。<br>This code was used or has expired.";
        return (StatusCode::GONE, head, Html(document("zh-CN", "smartstore", gone))).into_response();
    };
    if let Some(seat) = screens.seats.at(&hand.screen) {
        seat.tell("scanned", &serde_json::to_string(&Scanned { hand: &hand.number }).unwrap_or_default());
    }
    (head, page).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn document(language: &str, title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{language}\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;margin:1.5rem;max-width:34rem;color:#1a1a20}}\
         b{{font-size:1.6rem}}img{{max-width:100%;border-radius:.5rem}}\
         a{{display:inline-block;padding:.8rem 1.2rem;border-radius:.5rem;background:#1a1a20;color:#fff}}\
         </style><main>{body}</main></html>"
    )
}

/// The photo, in the page itself: it is asked for once, and kept by whom it shows.
fn photo_page(photo: &Reflection, language: &str) -> Vec<u8> {
    let (title, save, said) = match language {
        "en" => ("Your photo", "Save the photo", "It was on the mirror only until now, and nobody else has it."),
        _ => ("您的试妆照", "保存照片", "照片此前只在试妆镜上，现已删除，只有您拥有它。"),
    };
    let body = format!(
        "<h1>{title}</h1><p><img alt=\"{title}\" src=\"{PHOTO}\"></p>\
         <p><a download=\"photo.jpg\" href=\"{PHOTO}\">{save}</a></p><p>{said}</p>"
    );
    let text = document(language, title, &body);
    let mut picture = base64url_encode(photo.bytes()).into_bytes();
    // The usual alphabet (RFC 4648, section 4); a data URL needs no padding.
    picture.iter_mut().for_each(|letter| {
        *letter = match *letter {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
    });
    let mut page = Vec::with_capacity(text.len() + 2 * (picture.len() + PHOTO.len()));
    for (at, part) in text.split(PHOTO).enumerate() {
        if at > 0 {
            page.extend(b"data:image/jpeg;base64,");
            page.extend(&picture);
        }
        page.extend(part.as_bytes());
    }
    wipe(&mut picture);
    page
}

/// What the shopper takes along.
fn keepsake(product: &Product, language: &str) -> String {
    let pick = |words: &Words| match language {
        "en" => escaped(&words.en),
        _ => escaped(&words.zh),
    };
    let (name, text) = (pick(&product.name), pick(&product.text));
    let price =
        format!("{} {}.{:02}", escaped(&product.currency), product.price_minor / 100, product.price_minor % 100);
    let gtin = product.gtin.as_deref().map_or(String::new(), |gtin| format!("<p>GTIN {}</p>", escaped(gtin)));
    let body = format!("<h1>{name}</h1><p>{text}</p><p><b>{price}</b></p>{gtin}<p>{}</p>", escaped(&product.sku));
    document(language, &name, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::types::Timestamp;

    #[test]
    fn a_token_is_good_once_for_two_minutes_and_there_are_never_many() {
        let (hands, now) = (Hands::default(), Clock::manual(Timestamp::from_unix_ms(0), 1).now());
        let hand = |until| Hand {
            number: "1".to_owned(),
            screen: "screen-1".to_owned(),
            what: What::Product(Sku::new("LIP-204").unwrap()),
            language: "en".to_owned(),
            until,
        };
        hands.lay("a".to_owned(), hand(now + GOOD_FOR), now);
        assert!(hands.take("b", now).is_none() && hands.take("a", now).is_some() && hands.take("a", now).is_none());
        hands.lay("c".to_owned(), hand(now + GOOD_FOR), now);
        assert!(hands.take("c", now + GOOD_FOR).is_none());
        for number in 0..1000_u64 {
            hands.lay(number.to_string(), hand(now + GOOD_FOR + Duration::from_millis(number)), now);
        }
        assert_eq!(hands.locked().len(), HANDS);
        assert!(hands.take("999", now).is_some() && hands.take("0", now).is_none());
    }

    #[test]
    fn a_products_words_are_words_and_nothing_else() {
        let words = Words { zh: "唇膏".to_owned(), en: "<script>\"&".to_owned() };
        let product = Product {
            sku: "LIP-204".to_owned(),
            gtin: None,
            name: words.clone(),
            text: words,
            price_minor: 19_900,
            currency: "CNY".to_owned(),
            asset: String::new(),
            facing: None,
            stock: None,
            shade: None,
        };
        let page = keepsake(&product, "en");
        assert!(page.contains("&lt;script&gt;&quot;&amp;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("CNY 199.00") && keepsake(&product, "zh-CN").contains("唇膏"));
    }
}
