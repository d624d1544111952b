//! A product onto a shopper's phone: a token that is good for one scan, and a page that the phone keeps.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};

use super::Screens;
use crate::types::Sku;
use crate::wire::screen::Product;

/// How long a token is good.
const GOOD_FOR: Duration = Duration::from_secs(120);
/// Tokens at a time; the oldest gives way.
const HANDS: usize = 256;
/// A product's page on a phone reaches nothing: what it shows is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Products on their way to phones.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<Mutex<BTreeMap<String, Hand>>>);

#[derive(Debug, Clone)]
struct Hand {
    /// What the screen calls it: not the token, which only the phone learns.
    number: String,
    screen: String,
    sku: Sku,
    language: String,
    until: Instant,
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
    sku: String,
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
    let active = screens.content.active();
    let is_known = active.manifest.as_ref().is_some_and(|manifest| manifest.product(&wanted.sku).is_some());
    let sku = Sku::new(&wanted.sku).ok().filter(|_| is_known);
    let Some(sku) = sku else { return (StatusCode::BAD_REQUEST, "there is no such product\n").into_response() };
    let token = screens.clock.random_key().iter().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    });
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
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
    let hand = Hand { number: number.clone(), screen, sku, language, until: now + GOOD_FOR };
    screens.hands.lay(token, hand, now);
    let expires_ms = u64::try_from(GOOD_FOR.as_millis()).unwrap_or(u64::MAX);
    Json(Handed { hand: number, url, svg, expires_ms }).into_response()
}

pub(super) async fn open(State(screens): State<Screens>, Path(token): Path<String>) -> Response {
    let active = screens.content.active();
    let hand = screens.hands.take(&token, screens.clock.now());
    let product = hand.as_ref().zip(active.manifest.as_ref());
    let product = product.and_then(|(hand, manifest)| manifest.product(hand.sku.as_str()));
    let head = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    let (Some(hand), Some(product)) = (hand, product) else {
        let gone = "这个二维码已经用过或已过期，请在屏幕上重新生成。<br>This code was used or has expired.";
        return (StatusCode::GONE, head, Html(document("zh-CN", "smartstore", gone))).into_response();
    };
    if let Some(seat) = screens.seats.at(&hand.screen) {
        seat.tell("scanned", &serde_json::to_string(&Scanned { hand: &hand.number }).unwrap_or_default());
    }
    (head, Html(keepsake(product, &hand.language))).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn document(language: &str, title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{language}\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;margin:1.5rem;max-width:34rem;color:#1a1a20}}\
         b{{font-size:1.6rem}}</style><main>{body}</main></html>"
    )
}

/// What the shopper takes along.
fn keepsake(product: &Product, language: &str) -> String {
    let pick = |words: &crate::wire::screen::Words| match language {
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
            sku: Sku::new("LIP-204").unwrap(),
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
        let words = crate::wire::screen::Words { zh: "唇膏".to_owned(), en: "<script>\"&".to_owned() };
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
