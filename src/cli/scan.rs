//! `smartstore scan`: what is plugged in, as stanzas for the configuration.

use std::process::ExitCode;

use serde::Serialize;

use super::exit::{Exit, answer, tell};
use crate::transport;

/// Arguments of `scan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Found {
    kind: &'static str,
    endpoint: String,
    description: Option<String>,
    suggested_profile: &'static str,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let found = match find() {
        Ok(found) => found,
        Err(error) => {
            tell(&error);
            return Exit::Failed.into();
        }
    };
    if args.json {
        match serde_json::to_string_pretty(&found) {
            Ok(text) => say!("{text}"),
            Err(error) => {
                tell(&error);
                return Exit::Failed.into();
            }
        }
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        eprintln!(
            "No serial port, keyboard, camera or WiFi interface was found. Is the cable in, and may this user read \
             /dev?"
        );
    }
    for (number, device) in (1..).zip(&found) {
        answer(&stanza(number, device));
    }
    ExitCode::SUCCESS
}

fn find() -> std::io::Result<Vec<Found>> {
    let serial = transport::ttys()?.into_iter().map(|tty| Found {
        kind: "serial",
        endpoint: format!("serial:{}", tty.path.display()),
        description: tty.description,
        suggested_profile: "scanner/generic-serial",
    });
    let keyboards = transport::keyboards().into_iter().map(|keyboard| Found {
        kind: "keyboard",
        endpoint: format!("evdev:{}", keyboard.path.display()),
        description: Some(keyboard.name),
        suggested_profile: "scanner/hid-keyboard",
    });
    let cameras = transport::cameras().into_iter().map(|camera| Found {
        kind: "camera",
        endpoint: format!("v4l2:{}", camera.path.display()),
        description: Some(camera.card),
        suggested_profile: "camera/v4l2",
    });
    Ok(serial.chain(keyboards).chain(cameras).chain(radios()?).collect())
}

/// WiFi interfaces whose radio can monitor, as far as its driver says.
fn radios() -> std::io::Result<Vec<Found>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wireless = runtime.block_on(transport::wireless()).unwrap_or_else(|error| {
        eprintln!("WiFi interfaces cannot be listed: {error}");
        Vec::new()
    });
    let able = wireless.into_iter().filter(|radio| radio.can_monitor != Some(false));
    let found = able.map(|radio| {
        let state = match (radio.monitors, radio.can_monitor) {
            (true, _) => "in monitor mode",
            (false, Some(_)) => "can monitor",
            (false, None) => "its driver does not say whether it can monitor",
        };
        Found {
            kind: "radio",
            endpoint: format!("wifi:{}", radio.name),
            description: Some(format!("WiFi interface {}, {state}", radio.name)),
            suggested_profile: "footfall/linux-monitor",
        }
    });
    Ok(found.collect())
}

/// A stanza that can be pasted as it is; what only a person can know is said in comments.
fn stanza(number: usize, found: &Found) -> String {
    let description = found.description.as_deref().unwrap_or("no description");
    let hint = match found.kind {
        "radio" => "it counts passers-by and carries no network then",
        "camera" => "it counts faces; nobody is recognised unless its settings say so",
        "keyboard" => "a keyboard: use it only if it is the scanner",
        _ => "choose the profile of what is plugged in here",
    };
    let description: String = description.chars().filter(|c| !c.is_control()).collect();
    format!(
        "\n# {description} ({hint})\n[[device]]\nid = \"device-{number}\"\nprofile = \"{}\"\nendpoint = {:?}\n",
        found.suggested_profile, found.endpoint
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_is_toml_with_the_endpoint_as_it_was_found() {
        let found = Found {
            kind: "serial",
            endpoint: "serial:/dev/serial/by-id/usb-A_\"b\"".to_owned(),
            description: Some("evil\n[[device]]".to_owned()),
            suggested_profile: "scanner/generic-serial",
        };
        let table: toml::Table = stanza(3, &found).parse().unwrap();
        let devices = table["device"].as_array().unwrap();
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0]["endpoint"].as_str(), Some("serial:/dev/serial/by-id/usb-A_\"b\""));
        assert_eq!(devices[0]["id"].as_str(), Some("device-3"));
    }
}
