//! The status page in a real browser: what it shows, how it looks, and whom it can be used by.

mod axe;
mod moved;
mod stage;

use std::path::Path;

use chrono::TimeDelta;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use test_servers::chromium::Chromium;
use test_servers::chromium::Scheme;
use test_servers::chromium::Screen;
use test_servers::chromium::TAB;

use crate::history;
use crate::made_archive::MadeArchive;
use crate::page::axe::violations;
use crate::page::moved::moved;
use crate::page::stage::Stage;
use crate::samples;
use crate::scene::Scene;

const DESKTOP: Screen = Screen { width: 1_280, height: 900, is_phone: false, scale_percent: 100 };

/// The narrowest that is still sold.
const PHONE: Screen = Screen { width: 360, height: 780, is_phone: true, scale_percent: 200 };

const CLUSTER: &str = "/archives/databases/postgres-0000";

/// Every kind of page, with what it shows.
fn pages() -> Vec<(&'static str, Snapshot, Vec<String>)> {
    let ask = |to: &str| format!("{CLUSTER}?to={to}");
    let front = || "/?refresh=off".to_owned();
    vec![
        ("no archive", now(&samples::fleet(0)), vec![front()]),
        ("healthy", now(&only(0)), vec![front(), ask("latest"), ask("2001-01-01T00:00:00Z")]),
        ("a month", month(), vec![front(), ask("latest"), ask("tomorrow")]),
        ("broken", broken(), vec![front(), ask("latest")]),
        ("never read", now(&only(4)), vec![front()]),
        ("three", now(&samples::fleet(3)), vec![front()]),
        (
            "a thousand",
            now(&samples::fleet(1_000)),
            ["/?refresh=off", "/?refresh=off&q=nothing", "/?refresh=off&page=x", "/archives/a/b"]
                .map(str::to_owned)
                .to_vec(),
        ),
    ]
}

fn only(kind: usize) -> Snapshot {
    let cluster = format!("postgres-{kind:04}");
    samples::fleet(samples::KINDS).of_cluster("databases", &cluster).unwrap()
}

fn month() -> Snapshot {
    history::long_history(&now(&only(0)))
}

fn broken() -> Snapshot {
    history::broken(&now(&only(0)))
}

/// As if it had been seen just now: the browser's page is rendered with the real clock.
fn now(snapshot: &Snapshot) -> Snapshot {
    moved(snapshot, clock::now())
}

#[tokio::test]
async fn every_page_can_be_used_by_everybody_and_asks_nobody_else() {
    let browser = Chromium::start().await;
    axe::prepare(&browser).await;
    let mut stage = Stage::begin().await;
    for (name, snapshot, paths) in pages() {
        stage.show(snapshot);
        for path in paths {
            let what = format!("{name}: {path}");
            for scheme in [Scheme::Light, Scheme::Dark] {
                browser.look(DESKTOP, scheme).await;
                browser.open(&stage.address(&path)).await;
                assert_eq!(violations(&browser).await, Vec::<String>::new(), "{what} {scheme:?}");
                assert!(width(&browser).await <= DESKTOP.width, "{what}");
            }
            browser.look(PHONE, Scheme::Light).await;
            browser.open(&stage.address(&path)).await;
            assert_eq!(width(&browser).await, PHONE.width, "{what}");
            open_everything(&browser).await;
            assert_eq!(width(&browser).await, PHONE.width, "{what}, unfolded");
            assert_eq!(violations(&browser).await, Vec::<String>::new(), "{what}, unfolded");
        }
    }
    let requested = browser.requested().await;
    let foreign: Vec<&String> =
        requested.iter().filter(|url| !url.starts_with(&stage.address("/"))).collect();
    assert!(20 < requested.len() && foreign.is_empty(), "{requested:?}");
    let complaints: Vec<String> = browser.console().await;
    // Chromium tells the status of the pages that refuse a request.
    let unexpected: Vec<&String> =
        complaints.iter().filter(|line| !line.contains("status of 40")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(complaints.len(), 3 * 3, "{complaints:?}");
    browser.close().await;
}

#[tokio::test]
async fn the_rules_of_the_check_are_in_force() {
    let browser = Chromium::start().await;
    axe::prepare(&browser).await;
    let mut stage = Stage::begin().await;
    stage.show(now(&only(0)));
    browser.look(DESKTOP, Scheme::Light).await;
    browser.open(&stage.address("/?refresh=off")).await;
    assert_eq!(violations(&browser).await, Vec::<String>::new());
    let spoil = "document.querySelector('h1').style.color = '#eee'; \
                 document.querySelector('label').remove();";
    browser.run(spoil).await;
    let found = violations(&browser).await.join("\n");
    assert!(found.contains("color-contrast") && found.contains("label"), "{found}");
    // A page that is read again by itself is allowed where that can be stopped (WCAG 2.2.1), as it
    // is on the pages of the other test.
    browser.open(&stage.address("/")).await;
    let found = violations(&browser).await;
    assert!(found.len() == 1 && found[0].starts_with("meta-refresh at meta"), "{found:?}");
    let stops = "return document.querySelectorAll('a[href=\"?refresh=off\"]').length";
    assert_eq!(browser.run(stops).await, 1);
    // What the policy forbids is told on the console, where the other test looks.
    let script = "document.body.append(Object.assign(document.createElement('img'), \
                  { src: 'http://127.0.0.1:9/' }))";
    browser.run(script).await;
    let told = browser.console().await.join("\n");
    assert!(told.contains("Content Security Policy"), "{told}");
    browser.close().await;
}

#[tokio::test]
async fn a_dark_room_gets_a_dark_page() {
    let browser = Chromium::start().await;
    let mut stage = Stage::begin().await;
    stage.show(now(&only(0)));
    let mut grounds = Vec::new();
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.look(DESKTOP, scheme).await;
        browser.open(&stage.address("/")).await;
        let ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0]";
        let ground = browser.run(ground).await;
        grounds.push(ground.as_str().unwrap().parse::<u8>().unwrap());
    }
    assert!(200 < grounds[0] && grounds[1] < 50, "{grounds:?}");
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_reaches_everything_in_its_order() {
    let browser = Chromium::start().await;
    let mut stage = Stage::begin().await;
    browser.look(DESKTOP, Scheme::Light).await;
    let cases = [(now(&samples::fleet(7)), "/"), (month(), &format!("{CLUSTER}?to=latest"))];
    for (snapshot, path) in cases {
        stage.show(snapshot);
        browser.open(&stage.address(path)).await;
        let reachable = browser.run(REACHABLE).await.as_u64().unwrap();
        assert!(10 < reachable, "{reachable}");
        for number in 0..reachable {
            // The parts of a moment are stops of their own.
            let mut focused = Value::from("part");
            for _ in 0..PARTS_MAX {
                if focused != "part" {
                    break;
                }
                browser.press(TAB).await;
                focused = browser.run(FOCUSED).await;
            }
            assert_eq!(focused, format!("{number} seen"), "{path}");
        }
    }
    // The first stop leads past the header.
    browser.open(&stage.address("/")).await;
    browser.press(TAB).await;
    browser.press('\u{e007}').await;
    browser.until("the content has the focus", "return document.activeElement.id === 'main'").await;
    browser.close().await;
}

/// Numbers what the keyboard should reach, and returns how much it is.
const REACHABLE: &str = "
    const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), \
        textarea, summary, [tabindex=\"0\"]')].filter(element => element.checkVisibility());
    all.forEach((element, index) => { element.dataset.number = index; });
    return all.length;";

/// The number of what has the focus, and whether one sees it.
const FOCUSED: &str = "
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const [number, last] = [element.dataset.number, window.lastFocused];
    window.lastFocused = number;
    if (number !== undefined && number === last) return 'part';
    const box = element.getBoundingClientRect();
    const isInside = 0 <= box.bottom && box.top <= innerHeight && 0 <= box.right;
    const isSeen = isInside && style.outlineStyle !== 'none' && style.outlineWidth !== '0px';
    return number + (isSeen ? ' seen' : ' not seen');";

/// Year, month, day, hour, minute, second, half of the day, and the button of the calendar.
const PARTS_MAX: usize = 8;

#[tokio::test]
async fn a_large_fleet_is_searched_filtered_and_paged() {
    let browser = Chromium::start().await;
    let mut stage = Stage::begin().await;
    browser.look(DESKTOP, Scheme::Light).await;
    stage.show(now(&samples::fleet(1_000)));
    browser.open(&stage.address("/")).await;
    assert_eq!(browser.run("return document.querySelectorAll('tbody tr').length").await, 50);
    browser.run("document.querySelector('a[rel=next]').click()").await;
    browser.until("page 2", "return location.search === '?page=2'").await;
    browser.run("document.querySelector('a[href*=at_risk]').click()").await;
    browser.until("the archives at risk", "return location.search === '?verdict=at_risk'").await;
    let search = "document.querySelector('#q').value = '0007';
                  document.querySelector('form[role=search] button').click()";
    browser.run(search).await;
    browser.until("one row", "return document.querySelectorAll('tbody tr').length === 1").await;
    assert_eq!(browser.run("return location.search").await, "?verdict=at_risk&q=0007");
    browser.run("document.querySelector('tbody a').click()").await;
    let has_arrived = "return document.querySelector('h1').innerText.startsWith('databases/')";
    browser.until("the page of the archive", has_arrived).await;
    assert_eq!(browser.run("return location.pathname").await, "/archives/databases/postgres-0007");
    browser.run("document.querySelector('.back a').click()").await;
    browser.until("all archives", "return location.pathname === '/'").await;
    browser.close().await;
}

#[tokio::test]
async fn a_real_archive_is_asked_for_a_restore() {
    let mut scene = Scene::of(&MadeArchive::healthy(30)).await;
    let assessment = scene.look().await;
    let newest = assessment.windows.last().unwrap().last.at;
    let browser = Chromium::start().await;
    let mut stage = Stage::begin().await;
    browser.look(DESKTOP, Scheme::Light).await;
    stage.show(Snapshot::once(clock::now(), vec![(*assessment).clone()]));
    browser.open(&stage.address("/")).await;
    assert_eq!(heading(&browser, "h1").await, "databases/pg RECOVERABLE");

    // The form is filled in with the newest moment that can be asked for.
    submit(&browser, "").await;
    let answer = heading(&browser, ".answer :is(h2, h3, h4)").await;
    assert!(answer.starts_with("Yes: "), "{answer}");
    let yaml = browser.run("return document.querySelector('pre').textContent").await;
    let manifest: Value = serde_saphyr::from_str(yaml.as_str().unwrap()).unwrap();
    let target = &manifest["spec"]["bootstrap"]["recovery"]["recoveryTarget"];
    let backup = assessment.windows.last().unwrap().backup_id.as_str();
    assert_eq!(target["backupID"], backup);
    let field = browser.run("return document.querySelector('textarea').value").await;
    assert_eq!(field, yaml);
    let click = "const box = document.querySelector('pre').getBoundingClientRect();
                 return [Math.round(box.x + 40), Math.round(box.y + 20)]";
    let place = browser.run(click).await;
    browser.click(place[0].as_i64().unwrap(), place[1].as_i64().unwrap()).await;
    let selected = browser.run("return getSelection().toString().trim()").await;
    assert_eq!(selected.as_str().unwrap(), yaml.as_str().unwrap().trim());

    submit(&browser, "latest").await;
    let answer = heading(&browser, ".answer :is(h2, h3, h4)").await;
    assert_eq!(answer, "Yes: the newest archived state");

    submit(&browser, &(newest + TimeDelta::hours(1)).to_rfc3339()).await;
    let answer = heading(&browser, ".answer :is(h2, h3, h4)").await;
    assert!(answer.starts_with("No: "), "{answer}");
    browser.run("document.querySelector('.answer a').click()").await;
    let is_yes = "return document.querySelector('.answer').innerText.startsWith('Yes: ')";
    browser.until("the nearest moment", is_yes).await;

    submit(&browser, "2026-11-28 14:00").await;
    let told = heading(&browser, "[role=alert]").await;
    assert_eq!(told, "Only the time zone is missing. In UTC it is 2026-11-28T14:00:00Z.");

    submit(&browser, "tomorrow").await;
    let told = heading(&browser, "[role=alert]").await;
    assert!(told.starts_with("That is not a target. Write latest, a moment"), "{told}");
    browser.close().await;
}

/// Sends the form with these words, and waits for the page with the answer.
async fn submit(browser: &Chromium, words: &str) {
    let words = Value::from(words);
    let script = format!(
        "document.body.dataset.isOld = true;
         const form = document.querySelector('form.question');
         form.elements.to.value = {words};
         form.querySelector('button').click()"
    );
    browser.run(&script).await;
    let is_new = "return document.readyState === 'complete' && !document.body.dataset.isOld";
    browser.until("the answer", is_new).await;
}

async fn heading(browser: &Chromium, selector: &str) -> String {
    let script = format!("return document.querySelector({:?}).innerText", selector);
    browser.run(&script).await.as_str().unwrap().replace('\n', " ")
}

/// More than that of the screen would have to be scrolled.
async fn width(browser: &Chromium) -> u32 {
    let width = browser.run("return document.documentElement.scrollWidth").await;
    u32::try_from(width.as_u64().unwrap()).unwrap()
}

async fn open_everything(browser: &Chromium) {
    browser.run("document.querySelectorAll('details').forEach(it => it.open = true)").await;
}

/// `BACKUP_VERIFIER_IMAGES=docs/images cargo test --test it page::pictures` writes the pictures of
/// the documents; otherwise they go where nobody keeps them.
#[tokio::test]
async fn pictures_of_the_page_are_small_enough_for_the_documents() {
    let kept = std::env::var_os("BACKUP_VERIFIER_IMAGES");
    let passing = tempfile::tempdir().unwrap();
    let folder = kept.as_ref().map_or(passing.path(), Path::new);
    let browser = Chromium::start().await;
    let mut stage = Stage::begin().await;
    let tall = Screen { height: 1_380, scale_percent: 100, ..DESKTOP };
    let phone = Screen { width: 390, height: 844, ..PHONE };
    let pictures = [
        ("page-archive", broken(), CLUSTER, tall, Scheme::Light),
        ("page-dark", month(), CLUSTER, tall, Scheme::Dark),
        ("page-fleet", now(&samples::fleet(1_000)), "/", DESKTOP, Scheme::Light),
        ("page-phone", broken(), CLUSTER, phone, Scheme::Light),
    ];
    for (name, snapshot, path, screen, scheme) in pictures {
        stage.show(snapshot);
        browser.look(screen, scheme).await;
        browser.open(&stage.address(path)).await;
        let picture = browser.screenshot().await;
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        assert!((5_000..300_000).contains(&picture.len()), "{name}: {} bytes", picture.len());
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
    browser.close().await;
}
