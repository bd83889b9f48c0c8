//! A real Chromium without a window, driven over `WebDriver` by Debian's chromedriver.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::path::Path;
use std::time::Duration;

use ::http::Method;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::process::{Account, Server, free_port, wait_until};
use crate::tools;

/// A browser with one tab and an empty profile. It takes about two seconds to start.
#[derive(Debug)]
pub struct Chromium {
    session: String,
    driver: Server,
    _directory: TempDir,
}

/// What the browser's window looks like to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    pub height: u32,
    pub is_phone: bool,
    /// The scale of pictures taken, in percent.
    pub scale_percent: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Chromium {
    /// Starts driver and browser on free ports of loopback.
    pub async fn start() -> Self {
        let directory = Account::own().temporary_directory();
        let port = free_port();
        let mut command = Account::own().server_command(&tools::debian("chromedriver"));
        command.args([format!("--port={port}"), "--allowed-ips=127.0.0.1".to_owned()]);
        // The browser writes its caches and its crash reports there.
        command.env("HOME", directory.path()).env("TMPDIR", directory.path());
        let mut driver = Server::start("chromedriver", command, &directory.path().join("log"));
        let address = format!("http://127.0.0.1:{port}");
        driver
            .ready(LIMIT, async || {
                let status = format!("{address}/status");
                let answer = http::try_send(&status, &Method::GET, &[]).await;
                answer.is_ok_and(|answer| answer.json()["value"]["ready"] == true)
            })
            .await;
        let profile = directory.path().join("profile");
        let opened = demand(&format!("{address}/session"), &capabilities(&profile)).await;
        let id = opened["sessionId"].as_str().expect("a session").to_owned();
        Self { session: format!("{address}/session/{id}"), driver, _directory: directory }
    }

    /// Ends the browser, then the driver. Dropping does so too, with less patience.
    pub async fn close(mut self) {
        let closed = http::send(&self.session, &Method::DELETE, &[]).await;
        assert!(closed.status.is_success(), "{}", closed.body);
        self.driver.stop(crate::process::Signal::TERM, LIMIT).await;
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url })).await;
    }

    /// Runs the body of a function in the page and returns what it returns, or what its promise
    /// comes to.
    pub async fn run(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] })).await
    }

    /// Runs a script in every page that is opened from now on, before the page itself. A
    /// Content-Security-Policy does not hold for it.
    pub async fn prepare(&self, script: &str) {
        let name = "Page.addScriptToEvaluateOnNewDocument";
        self.command(name, json!({ "source": script })).await;
    }

    /// Presses one key: a letter, or a code of the `WebDriver` specification such as [`TAB`].
    pub async fn press(&self, key: char) {
        let keys =
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": keys });
        self.post("actions", &json!({ "actions": [keyboard] })).await;
    }

    /// Clicks at a place of the window, in CSS pixels.
    pub async fn click(&self, x: i64, y: i64) {
        let actions = json!([
            {"type": "pointerMove", "x": x, "y": y, "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]);
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.post("actions", &json!({ "actions": [mouse] })).await;
    }

    /// Asks the browser itself, in the words of the Chrome `DevTools` Protocol.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters })).await
    }

    pub async fn look(&self, screen: Screen, scheme: Scheme) {
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let metrics = json!({
            "width": screen.width, "height": screen.height, "mobile": screen.is_phone,
            "deviceScaleFactor": f64::from(screen.scale_percent) / 100.0,
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        self.command("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    }

    /// Everything that was written to the console since it was asked last, and what browsers say
    /// themselves: failed loads, violations of a Content-Security-Policy, errors.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were requested from some host since they were asked for last. What the
    /// browser carries in itself, such as the picture of a calendar, comes from none.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let mut requested = Vec::new();
        for entry in entries {
            let text = entry["message"].as_str().expect("a message");
            let event: Value = serde_json::from_str(text).expect("an event in JSON");
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().expect("an address");
                if url.starts_with("http") {
                    requested.push(url.to_owned());
                }
            }
        }
        requested
    }

    /// A picture of what is on the screen, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let answer = self.command("Page.captureScreenshot", json!({ "format": "png" })).await;
        let picture = answer["data"].as_str().expect("a picture");
        BASE64_STANDARD.decode(picture).expect("base64")
    }

    /// Waits until the function body returns something true.
    pub async fn until(&self, what: &str, body: &str) {
        wait_until(what, LIMIT, async || (self.run(body).await == true).then_some(())).await;
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", &json!({ "type": kind })).await;
        entries.as_array().expect("a list of entries").clone()
    }

    async fn post(&self, command: &str, parameters: &Value) -> Value {
        demand(&format!("{}/{command}", self.session), parameters).await
    }
}

/// The Tab key, among the codes of the `WebDriver` specification.
pub const TAB: char = '\u{e004}';

/// Panics with the driver's words when it refuses.
async fn demand(url: &str, parameters: &Value) -> Value {
    let answer = http::try_send_json(url, &Method::POST, parameters).await;
    let answer = answer.unwrap_or_else(|error| panic!("{url}: {error:#}"));
    let document = answer.json();
    assert!(answer.status.is_success(), "{url}: {}", document["value"]["message"]);
    document["value"].clone()
}

/// A browser that asks nobody but us, and that ends when the driver does: it is spoken to through
/// a pipe.
fn capabilities(profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--remote-debugging-pipe",
        &profile,
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": tools::debian("chromium"), "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "timeouts": { "script": 60_000, "pageLoad": 60_000, "implicit": 0 },
    }}})
}

/// It starts within seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
