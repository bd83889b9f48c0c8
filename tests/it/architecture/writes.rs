//! Only `src/execution` writes to Kubernetes.

use crate::architecture::code_of;
use crate::architecture::rust_files;
use crate::architecture::source;

/// How the methods of kube's `Api`, its subresources and its entries begin that write. `replace`
/// alone is none of these: texts and options have one too.
const METHODS: [&str; 7] = ["create", "patch", "replace_", "delete", "evict", "commit", "cordon"];

/// Without one of these no object is written.
const PARAMETERS: [&str; 5] =
    ["PostParams", "PatchParams", "DeleteParams", "EvictParams", "Recorder"];

/// The methods of HTTP that write.
const VERBS: [&str; 4] = ["post", "put", "patch", "delete"];

#[test]
fn only_execution_writes_to_kubernetes() {
    let mut violations = Vec::new();
    for file in rust_files(&source()) {
        if !file.starts_with(source().join("execution")) {
            let found = writes(&code_of(&file));
            violations.extend(found.iter().map(|it| format!("{}: {it}", file.display())));
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn a_write_is_seen() {
    for code in [
        "api.create(&parameters, &event).await?;",
        "api\n    .patch_status(name, &parameters, &patch)\n    .await?;",
        "api.replace(name, &given, &object).await?;",
        "api.delete_collection(&given, &list).await?;",
        "pods.evict(name, &<_>::default()).await?;",
        "Api::create(&api, &given, &event).await?;",
        "Api::<Event>::delete(&api, name, &given).await?;",
        "client.request(core::Request::new(path).create(&given, data)?).await?;",
        "use kube::api::PatchParams;",
        "let recorder = events::Recorder::new(client, reporter);",
        "let request = http::Request::post(uri).body(body)?;",
        "let request = Request::builder().method(Method::DELETE);",
        "let request = Request::builder().method(\"PUT\");",
    ] {
        assert_eq!(writes(code).len(), 1, "{code}");
    }
    for code in [
        "api.list(&parameters).await?;",
        "text.replace('a', \"b\");",
        "told.replace(reason);",
        "mem::replace(&mut self.last, next);",
        "fs::create_dir_all(path)?;",
        "snapshots.send_replace(snapshot);",
        "Request::get(\"/metrics\").body(body)?;",
    ] {
        assert_eq!(writes(code), Vec::<String>::new(), "{code}");
    }
}

/// What of this code can write to Kubernetes.
fn writes(code: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices('(') {
        let before = &code[..at];
        let receiver = before.trim_end_matches(is_word);
        let name = &before[receiver.len()..];
        let is_method =
            receiver.ends_with('.') || receiver.ends_with("Api::") || receiver.ends_with(">::");
        let is_write = METHODS.iter().any(|begin| name.starts_with(begin));
        // With a name and parameters, which an `Option` and a text do not ask for.
        let replaces = name == "replace" && arguments(&code[at..]) == 3;
        if is_method && (is_write || replaces) {
            found.push(format!("calls {name}"));
        }
        if receiver.ends_with("Request::") && VERBS.contains(&name) {
            found.push(format!("asks by {name}"));
        }
    }
    for parameters in PARAMETERS.iter().filter(|it| code.contains(**it)) {
        found.push(format!("names {parameters}"));
    }
    for verb in VERBS.map(str::to_uppercase) {
        if code.contains(&format!("Method::{verb}")) || code.contains(&format!("\"{verb}\"")) {
            found.push(format!("asks by {verb}"));
        }
    }
    found
}

/// How many arguments are in the parentheses that open here.
fn arguments(code: &str) -> usize {
    let (mut depth, mut commas) = (0, 0);
    for c in code.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 1 => commas += 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    commas + 1
}
