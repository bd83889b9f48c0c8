//! Deque's axe-core, which knows what people with a screen reader, a keyboard or weak eyes need.

use std::fs;

use test_servers::chromium::Chromium;
use test_servers::tools;

/// Before a page is opened that will be looked at.
pub(super) async fn prepare(browser: &Chromium) {
    let axe = fs::read_to_string(tools::npm("axe-core/axe.min.js")).unwrap();
    browser.prepare(&axe).await;
}

/// What is wrong with the page that the browser shows, however little: rule, place, reason.
pub(super) async fn violations(browser: &Chromium) -> Vec<String> {
    let found = browser.run(RUN).await;
    assert!(10 < found["passes"].as_u64().unwrap(), "{found}");
    let violations = found["violations"].as_array().unwrap();
    violations.iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
}

const RUN: &str = "
    return window.axe.run(document, { resultTypes: ['violations'] }).then(results => ({
        passes: results.passes.length,
        violations: results.violations.flatMap(rule => rule.nodes.map(node =>
            `${rule.id} at ${node.target.join(' ')}: ${node.failureSummary}`)),
    }));";
