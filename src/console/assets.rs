//! What the page is made of: embedded, with no remote reference, each file under a fixed name.

use std::borrow::Cow;
use std::io::Write;
use std::sync::OnceLock;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

use super::words::Language;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// One file.
pub(super) struct Asset {
    /// Where it is served.
    pub(super) path: &'static str,
    kind: &'static str,
    text: &'static str,
    /// What stands before the text.
    before: &'static str,
    packed: OnceLock<Packed>,
}

struct Packed {
    tag: String,
    gzip: Vec<u8>,
}

const fn asset(path: &'static str, kind: &'static str, text: &'static str) -> Asset {
    Asset { path, kind, text, before: "", packed: OnceLock::new() }
}

const fn script(path: &'static str, text: &'static str) -> Asset {
    asset(path, SCRIPT, text)
}

const fn words(path: &'static str, language: Language) -> Asset {
    Asset { path, kind: SCRIPT, text: language.text(), before: "export default ", packed: OnceLock::new() }
}

/// Every file of the console.
pub(super) static ASSETS: [Asset; 20] = [
    script("/console/app.js", include_str!("web/app.js")),
    script("/console/dom.js", include_str!("web/dom.js")),
    script("/console/talk.js", include_str!("web/talk.js")),
    script("/console/say.js", include_str!("web/say.js")),
    script("/console/parts.js", include_str!("web/parts.js")),
    script("/console/overview.js", include_str!("web/overview.js")),
    script("/console/devices.js", include_str!("web/devices.js")),
    script("/console/events.js", include_str!("web/events.js")),
    script("/console/sales.js", include_str!("web/sales.js")),
    script("/console/tests.js", include_str!("web/tests.js")),
    script("/console/config.js", include_str!("web/config.js")),
    script("/console/diff.js", include_str!("web/diff.js")),
    script("/console/screens.js", include_str!("web/screens.js")),
    script("/console/about.js", include_str!("web/about.js")),
    script("/console/login.js", include_str!("web/login.js")),
    words("/console/words-en.js", Language::En),
    words("/console/words-zh.js", Language::Zh),
    asset("/console/console.css", "text/css; charset=utf-8", include_str!("web/console.css")),
    asset("/console/icons.svg", SVG, include_str!("web/icons.svg")),
    asset("/console/icon.svg", SVG, include_str!("web/icon.svg")),
];

impl Asset {
    fn whole(&self) -> Cow<'static, str> {
        if self.before.is_empty() { self.text.into() } else { format!("{}{}", self.before, self.text).into() }
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let whole = self.whole();
            let tag = digest(&SHA256, whole.as_bytes());
            let tag: String = tag.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            Packed { tag: format!("\"{tag}\""), gzip: gzip(whole.as_bytes()) }
        })
    }

    /// The file, or that it is what the browser has.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Packed { tag, gzip } = self.packed();
        let kept = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
        if text(header::IF_NONE_MATCH).is_some_and(|known| known.contains(tag.as_str())) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let kind = [(header::CONTENT_TYPE, self.kind), (header::VARY, "Accept-Encoding")];
        if text(header::ACCEPT_ENCODING).is_some_and(|ways| ways.contains("gzip")) {
            return (kept, kind, [(header::CONTENT_ENCODING, "gzip")], gzip.clone()).into_response();
        }
        (kept, kind, self.whole().into_owned()).into_response()
    }
}

/// Serves one of [`ASSETS`].
pub(super) async fn serve(request: Request) -> Response {
    match ASSETS.iter().find(|asset| asset.path == request.uri().path()) {
        Some(asset) => asset.answer(request.headers()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::best());
    // Writing to memory cannot fail.
    let _ = packed.write_all(bytes);
    packed.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that the console may weigh, all files together, as they travel.
    const WEIGHT_BYTES: usize = 100_000;

    #[test]
    fn the_whole_console_is_light() {
        let weight: usize = ASSETS.iter().map(|asset| asset.packed().gzip.len()).sum();
        println!("the console weighs {weight} bytes in {} files", ASSETS.len());
        assert!((10_000..=WEIGHT_BYTES).contains(&weight), "{weight} bytes");
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for asset in &ASSETS {
            let whole = asset.whole();
            let rest = whole.replace("http://www.w3.org/2000/svg", "");
            assert!(!rest.contains("http://") && !rest.contains("https://"), "{}", asset.path);
            assert!(!rest.contains("innerHTML") && !rest.contains("eval("), "{}", asset.path);
        }
    }

    #[test]
    fn scripts_have_short_lines_and_fit_a_head() {
        let written = |asset: &&Asset| asset.before.is_empty() && asset.kind != SVG;
        for asset in ASSETS.iter().filter(written) {
            let longest = asset.text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(longest <= 120 && asset.text.lines().count() <= 600, "{}: {longest}", asset.path);
        }
    }
}
