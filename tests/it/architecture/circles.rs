//! The modules of one folder use each other in one direction only.
//!
//! A module and those within it are one thing, so what they use of each other does not count. What
//! is re-exported counts for the file that it is in.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use crate::architecture::code_of;
use crate::architecture::paths_after;
use crate::architecture::rust_files;
use crate::architecture::source;

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let files = rust_files(&source()).into_iter().map(|file| (module(&file), code_of(&file)));
    let circles = circles(&files.collect());
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

#[test]
fn a_circle_is_seen() {
    let circles = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(module, code)| (module_of(module), (*code).to_owned()));
        circles(&files.collect())
    };
    let (clock, wall) = (("box::clock", "use crate::box::wall::Wall;"), "box::wall");
    assert_eq!(circles(&[clock, (wall, "use crate::box::clock::Clock;")]).len(), 2);
    assert_eq!(circles(&[clock, (wall, "use super::clock::Clock;")]).len(), 2);
    assert_eq!(circles(&[clock, (wall, "")]).len(), 0);
    // A third file may close the circle, and a re-export may hide it.
    let (room, hidden) = ("box::room", "use crate::box::Clock;");
    let closed = [clock, (wall, "use crate::box::room::Room;"), (room, hidden)];
    assert_eq!(circles(&[&closed[..], &[("box", "pub use clock::Clock;")]].concat()).len(), 3);
    // Two folders are in a circle also where no two files of them are.
    let files = [
        ("near::one", "use crate::far::one::Far;"),
        ("far::one", ""),
        ("far::two", "use crate::near::two::Near;"),
        ("near::two", ""),
    ];
    assert_eq!(circles(&files), ["far uses near", "near uses far"]);
    // A module and what is within it.
    let within = [("box", "use crate::box::wall::Wall;"), (wall, "use crate::box::Box;")];
    assert_eq!(circles(&within).len(), 0);
}

const EXPORTS: [&str; 3] = ["pub use ", "pub(crate) use ", "pub(super) use "];

type Module = Vec<String>;
type Files = BTreeMap<Module, String>;

/// Each use that is part of a circle between modules of one folder.
fn circles(files: &Files) -> Vec<String> {
    let mut uses: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, code) in files {
        for used in used_by(module, code, files) {
            let shared = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if shared < module.len() && shared < used.len() {
                let used = used[..=shared].to_vec();
                uses.entry(module[..=shared].to_vec()).or_default().insert(used);
            }
        }
    }
    let all = uses.iter().flat_map(|(user, used)| used.iter().map(move |used| (user, used)));
    all.filter(|(user, used)| reached(used, &uses).contains(*user))
        .map(|(user, used)| format!("{} uses {}", user.join("::"), used.join("::")))
        .collect()
}

/// The modules whose files this code takes something from.
fn used_by(module: &Module, code: &str, files: &Files) -> BTreeSet<Module> {
    let parent = &module[..module.len() - 1];
    let near = paths_after(code, "super::").map(|path| [parent, &module_of(&path)].concat());
    let all = paths_after(code, "crate::").map(|path| module_of(&path)).chain(near);
    all.filter_map(|path| file_of(path, files)).collect()
}

/// The module in whose file a path ends, past any re-export.
fn file_of(mut path: Module, files: &Files) -> Option<Module> {
    loop {
        let known = (1..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(known);
        let Some(name) = rest.first() else { return Some(path) };
        let exports = EXPORTS.iter().flat_map(|begin| paths_after(&files[module], begin));
        let export = exports.map(|it| module_of(&it)).find(|it| it.last() == Some(name));
        path = match export {
            Some(export) if export[0] == "crate" => export[1..].to_vec(),
            Some(export) => [module, &export[..]].concat(),
            None => return Some(module.to_vec()),
        };
    }
}

fn reached(from: &Module, uses: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::from([from.clone()]);
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        let further = uses.get(module).into_iter().flatten();
        open.extend(further.filter(|it| reached.insert((*it).clone())));
    }
    reached
}

/// `src/box/wall.rs` is `box::wall`, and `src/box/mod.rs` is `box`.
fn module(file: &Path) -> Module {
    let path = file.strip_prefix(source()).unwrap().with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().unwrap() == "mod" {
        module.pop();
    }
    module
}

fn module_of(path: &str) -> Module {
    path.split("::").map(str::to_owned).collect()
}
