//! Deque's axe-core, which knows what people with a screen reader, a keyboard or weak eyes need.

use std::fs;

use test_servers::chromium::Chromium;
use test_servers::tools;

/// What is serious or critical on the page that the browser shows: rule, place, reason.
pub(super) async fn violations(browser: &Chromium) -> Vec<String> {
    let axe = fs::read_to_string(tools::npm("axe-core/axe.min.js")).unwrap();
    let found = browser.run(&format!("{axe}\n{RUN}")).await;
    assert!(20 < found["passes"].as_u64().unwrap(), "{found}");
    let violations = found["violations"].as_array().unwrap();
    violations.iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
}

const RUN: &str = "
    return window.axe.run(document, { resultTypes: ['violations'] }).then(results => ({
        passes: results.passes.length,
        violations: results.violations
            .filter(rule => ['serious', 'critical'].includes(rule.impact))
            .flatMap(rule => rule.nodes.map(node =>
                `${rule.id} at ${node.target.join(' ')}: ${node.failureSummary}`)),
    }));";
