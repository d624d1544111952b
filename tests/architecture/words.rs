//! Words that may not stand, or only in one place: unfinished work, tests that do not test, sleeps, `unsafe`.

use proc_macro2::{TokenStream, TokenTree};

use super::paths::Target;
use super::tree::{Finding, Source, Tree, assert_none, assert_one};

/// Macros that say the work is not done, or that were left behind.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Notes to oneself. Spelled in two halves, so that this file does not hold them.
const NOTES: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];

/// Programs that play a device, at its pace: no tests, though they stand among them.
const INSTRUMENTS: &[&str] = &["tests/lab/"];

/// Where `unsafe` may stand: system calls that no crate wraps.
const UNSAFE_HOMES: &[&str] = &["src/transport/", "src/transport.rs", "src/clock.rs", "src/observe/footprint.rs"];

/// A flat view of a token stream: each token with what follows it in its own group.
fn visit(tokens: TokenStream, see: &mut impl FnMut(&[TokenTree])) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for at in 0..tokens.len() {
        see(&tokens[at..]);
        if let TokenTree::Group(group) = &tokens[at] {
            visit(group.stream(), see);
        }
    }
}

fn is(token: Option<&TokenTree>, text: &str) -> bool {
    token.is_some_and(|token| !matches!(token, TokenTree::Literal(_)) && token.to_string() == text)
}

fn line_of(tokens: &[TokenTree]) -> usize {
    tokens[0].span().start().line
}

fn unfinished(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    visit(source.tokens.clone(), &mut |rest| {
        let line = line_of(rest);
        if is(rest.get(1), "!") && UNFINISHED.iter().any(|word| is(rest.first(), word)) {
            findings.push(source.finding(line, format!("`{}!` may not stay", rest[0])));
        }
        if is(rest.first(), "assert") && is(rest.get(1), "!") && is(rest.get(2), "(true)") {
            findings.push(source.finding(line, "an assertion that cannot fail tests nothing"));
        }
        if is(rest.first(), "#") && rest.get(1).is_some_and(|t| t.to_string().starts_with("[ignore")) {
            findings.push(source.finding(line, "a test that is ignored is no test: mend it or remove it"));
        }
    });
    findings.extend(notes(source));
    findings
}

/// Alone in quotes it is a value: ISO 4217 has a currency for "nobody said one" that looks like a note.
fn notes(source: &Source) -> Vec<Finding> {
    let holds = |line: &str, note: &str| {
        let unquoted = line.replace(&format!("\"{note}\""), "").replace(&format!("`{note}`"), "");
        unquoted.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == note)
    };
    let numbered = source.text.lines().enumerate();
    numbered
        .filter(|(_, line)| NOTES.iter().any(|note| holds(line, note)))
        .map(|(at, _)| source.finding(at + 1, "a note to oneself: do it now, or file an issue"))
        .collect()
}

/// A sleep in a test is a guess about time. Right behind a `while` it is the interval at which a level is looked at;
/// where time itself is the subject, the line says what it waits for.
fn sleeps(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if INSTRUMENTS.iter().any(|folder| source.file.starts_with(folder)) {
        return findings;
    }
    for reference in source.references.iter().filter(|reference| reference.in_test) {
        let Target::Outside(path) = &reference.to else { continue };
        let is_sleep = path.last().is_some_and(|last| last == "sleep") && calls(source, reference.line, "sleep");
        let is_interval = source.says_near(reference.line, 3, "while ");
        if is_sleep && !is_interval && !source.says_near(reference.line, 2, "// waits: ") {
            let message =
                "a test may not sleep: wait for a level with a bound, or say `// waits: …` why time is the subject";
            findings.push(source.finding(reference.line, message));
        }
    }
    findings
}

/// Whether the line calls `name(`, as against importing it or naming a method `.name(`.
fn calls(source: &Source, line: usize, name: &str) -> bool {
    let text = source.text.lines().nth(line - 1).unwrap_or_default();
    text.match_indices(&format!("{name}(")).any(|(at, _)| !text[..at].ends_with('.'))
}

fn unsafe_code(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let at_home = UNSAFE_HOMES.iter().any(|home| source.file.starts_with(home));
    visit(source.tokens.clone(), &mut |rest| {
        if !is(rest.first(), "unsafe") {
            return;
        }
        let line = line_of(rest);
        if !at_home {
            findings.push(source.finding(line, "`unsafe` stands only in transport, clock and the footprint"));
        } else if !source.says_near(line, 6, "SAFETY:") {
            findings.push(source.finding(line, "`unsafe` without a SAFETY comment that says why it is sound"));
        }
    });
    findings
}

/// A lint that is switched off says why: `#[expect(clippy::…, reason = "…")]`.
fn silenced(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    visit(source.tokens.clone(), &mut |rest| {
        let skip = if is(rest.get(1), "!") { 2 } else { 1 };
        let (true, Some(TokenTree::Group(attribute))) = (is(rest.first(), "#"), rest.get(skip)) else { return };
        let words: Vec<_> = attribute.stream().into_iter().collect();
        let is_silencing = is(words.first(), "allow") || is(words.first(), "expect");
        if is_silencing && !attribute.to_string().contains("reason =") {
            findings.push(source.finding(line_of(rest), "a lint is switched off without a `reason`"));
        }
    });
    findings
}

fn check(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Source) -> Vec<Finding>; 4] = [unfinished, sleeps, unsafe_code, silenced];
    tree.sources.iter().flat_map(|source| rules.iter().flat_map(move |rule| rule(source))).collect()
}

#[test]
fn nothing_is_unfinished_asleep_or_unsafe_without_a_reason() {
    assert_none(&check(&Tree::load()));
}

fn planted(file: &str, text: &str) -> Vec<Finding> {
    check(&Tree::planted(&[(file, text)]))
}

#[test]
fn planted_unfinished_work_is_found() {
    assert_one(&planted("src/a.rs", "fn f() { todo!() }"), "todo!");
    assert_one(&planted("src/a.rs", "fn f() { x(dbg!(1)); }"), "dbg!");
    assert_one(&planted("src/a.rs", "fn f() { unimplemented!(\"later\") }"), "unimplemented!");
    assert_one(&planted("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"), "tests/a.rs:2");
    assert_one(&planted("tests/a.rs", "#[test] fn f() { assert!(true) }"), "cannot fail");
    for note in NOTES {
        assert_one(&planted("src/a.rs", &format!("// {note}: later")), "note to oneself");
        assert_none(&planted("src/a.rs", &format!("/// `{note}`\nconst NONE: &str = \"{note}\";")));
    }
    assert_none(&planted("src/a.rs", "const TEXT: &str = \"todo!()\"; fn todo() {} fn f() { assert!(x) }"));
}

#[test]
fn a_planted_sleep_in_a_test_is_found() {
    assert_one(&planted("tests/a.rs", "fn f() { std::thread::sleep(d); }"), "may not sleep");
    assert_one(&planted("src/a.rs", "#[cfg(test)] mod tests {\nasync fn f() { sleep(d).await }\n}"), "src/a.rs:2");
    assert_none(&planted(
        "tests/a.rs",
        "fn f() {\n    // waits: the debounce itself is the subject\n    std::thread::sleep(d);\n}",
    ));
    assert_none(&planted("tests/a.rs", "fn f() {\n    while !is_there() {\n        std::thread::sleep(d);\n    }\n}"));
    assert_none(&planted("src/a.rs", "async fn f() { tokio::time::sleep(d).await }"));
}

#[test]
fn planted_unsafe_code_is_found() {
    assert_one(&planted("src/journal/a.rs", "// SAFETY: no.\nfn f() { unsafe { g() } }"), "only in transport");
    assert_one(&planted("src/transport/tty.rs", "fn f() { unsafe { g() } }"), "SAFETY comment");
    assert_none(&planted(
        "src/transport/tty.rs",
        "fn f() {\n    // SAFETY: g has no preconditions.\n    unsafe { g() }\n}",
    ));
}

#[test]
fn a_planted_lint_switched_off_without_a_reason_is_found() {
    assert_one(&planted("src/a.rs", "#[allow(dead_code)]\nfn f() {}"), "without a `reason`");
    assert_none(&planted(
        "src/a.rs",
        "#[expect(dead_code, reason = \"the next layer uses it\")]\nfn f() { x.expect(\"y\"); }",
    ));
}
