//! The pages at `/` and `/login`. The first is useful before any script has run: name, state, what is wrong, devices.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::Inside;
use super::answers::ConditionAnswer;
use super::gate::{cookie, refuse};
use super::overview::{DeviceRow, Overview};
use super::session::Known;
use super::words::Language;
use crate::types::Chain;

const SHELL: &str = include_str!("web/shell.html");
const LOGIN: &str = include_str!("web/login.html");
/// Everything from here, nothing inline, nobody may frame it.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

pub(super) async fn index(
    State(inside): State<Arc<Inside>>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
) -> Response {
    match inside.overview(&known).await {
        Ok(overview) => page(&shell(&overview, Language::of(&headers)), &headers),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, "journal", &Chain(&error).to_string()),
    }
}

pub(super) async fn login(State(inside): State<Arc<Inside>>, headers: HeaderMap) -> Response {
    if inside.sessions.is_none() {
        return Redirect::to("/").into_response();
    }
    // The store's name is nobody's business before the login.
    page(&worded(LOGIN, Language::of(&headers)), &headers)
}

/// Words, colours and headers that every page has.
fn page(text: &str, headers: &HeaderMap) -> Response {
    let theme = match cookie(headers, "theme") {
        Some("dark") => " data-theme=\"dark\"",
        Some("light") => " data-theme=\"light\"",
        _ => "",
    };
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language, Cookie"),
    ];
    (headers, Html(text.replacen("{{theme}}", theme, 1))).into_response()
}

/// Puts a language's words where the template names them: `{{say:key}}`.
fn worded(template: &str, language: Language) -> String {
    let mut parts = template.split("{{say:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (key, rest) = part.split_once("}}").unwrap_or((part, ""));
        text.push_str(&escaped(language.own(key).unwrap_or(key)));
        text.push_str(rest);
    }
    text.replace("{{lang}}", language.tag()).replace("{{words}}", language.name())
}

fn shell(overview: &Overview, language: Language) -> String {
    let conditions: String = overview.conditions.iter().map(|one| condition(one, language)).collect();
    let conditions = if conditions.is_empty() {
        format!("<li class=\"well\">{}</li>", escaped(language.say("all_well")))
    } else {
        conditions
    };
    let devices: String = overview.devices.iter().map(|one| device(one, language)).collect();
    let state = language.own(&format!("state_{}", overview.state)).unwrap_or(overview.state);
    worded(SHELL, language)
        .replace("{{name}}", &escaped(&overview.name))
        .replace("{{state}}", overview.state)
        .replace("{{state_word}}", &escaped(state))
        .replace("{{conditions}}", &conditions)
        .replace("{{devices}}", &devices)
}

fn condition(one: &ConditionAnswer, language: Language) -> String {
    let text = match (language.own(&format!("cond.{}", one.code)), &one.detail) {
        (None, _) => one.text.clone(),
        (Some(text), None) => text.to_owned(),
        (Some(text), Some(detail)) => format!("{text} ({detail})"),
    };
    let help = language.own(&format!("help.{}", one.code)).unwrap_or(one.help);
    let device = one.device.as_deref().map_or(String::new(), |device| format!("<b>{}</b> ", escaped(device)));
    let severity = language.own(&format!("sev_{}", one.severity)).unwrap_or(one.severity);
    format!(
        "<li class=\"cond {}\"><span class=\"sev\">{}</span><div><p>{device}{}</p><p class=\"soft\">{}</p></div></li>",
        one.severity,
        escaped(severity),
        escaped(&text),
        escaped(help)
    )
}

fn device(one: &DeviceRow, language: Language) -> String {
    let state = language.own(&format!("dev_{}", one.state)).unwrap_or(one.state);
    format!(
        "<tr><th scope=\"row\">{}</th><td><span class=\"pill {}\">{}</span></td><td>{}</td></tr>",
        escaped(&one.id),
        one.trouble,
        escaped(state),
        escaped(&one.evidence)
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_where_they_are_named_and_text_is_no_markup() {
        assert_eq!(worded("<p lang=\"{{lang}}\">{{say:nobody}}!</p>", Language::Zh), "<p lang=\"zh-CN\">nobody!</p>");
        assert_eq!(escaped("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn no_word_of_the_templates_is_missing() {
        for language in [Language::En, Language::Zh] {
            for part in [SHELL, LOGIN].iter().flat_map(|template| template.split("{{say:").skip(1)) {
                let key = part.split("}}").next().unwrap();
                assert!(language.own(key).is_some(), "{key}");
            }
        }
    }
}
