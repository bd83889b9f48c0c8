//! What `ARCHITECTURE.md` says of boxes, folders and files is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::architecture::Effects;
use crate::architecture::LAYERS;
use crate::architecture::Layer;
use crate::links::without_blocks;

/// Folders of an archive, not of this repository.
const IN_THE_BUCKET: [&str; 2] = ["base", "wals"];

#[test]
fn the_table_of_boxes_is_what_is_held() {
    let document = document();
    let (_, table) = document.split_once("\n| Box | May use | I/O |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut told: Vec<String> = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let may_use = match cells[1] {
            "all of these" => told.iter().cloned().collect(),
            names => words(names).collect::<BTreeSet<String>>(),
        };
        let boxes: Vec<String> = words(cells[0]).collect();
        for name in &boxes {
            let layer = LAYERS.iter().find(|layer| layer.name == name).unwrap();
            let held = layer.may_use.iter().map(|used| (*used).to_owned()).collect();
            assert_eq!(may_use, held, "{name}");
            assert_eq!(cells[2] == "none", layer.effects == Effects::None, "{name}");
        }
        told.extend(boxes);
    }
    let known = boxes().map(|layer| layer.name.to_owned());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn the_picture_and_the_library_name_every_box() {
    let document = document();
    let picture = document.split("```").nth(1).unwrap();
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for layer in boxes().filter(|layer| layer.name != "main") {
        let name = layer.name;
        assert!(picture.contains(name), "{name} is not in the picture");
        assert!(library.contains(&format!(". [`{name}`]: ")), "{name} is not in the reading order");
    }
}

#[test]
fn every_path_of_the_code_map_exists() {
    for path in code_map() {
        assert!(root().join(&path).exists(), "{path}");
    }
}

#[test]
fn every_folder_is_in_the_code_map() {
    let map = code_map();
    let rooms = folders("src").into_iter().flat_map(|folder| folders(&folder));
    let rooms: Vec<String> = rooms.filter(|room| is_code(room)).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    let others = [folders(""), folders("src"), folders("tests")].concat();
    let others = others.into_iter().filter(|folder| folder != "src" && folder != "tests");
    for folder in others.chain(rooms) {
        assert!(map.contains(&folder), "{folder} is not in the code map");
    }
}

/// In the recipes as well, where a path begins where its sentence does.
#[test]
fn every_path_of_the_document_exists() {
    let paths = paths_below("");
    let mut named = 0;
    let (document, is_path) = (document(), |word: &String| word.contains('/'));
    let prose = without_blocks(&document);
    for word in words(&prose).filter(is_path) {
        for name in expanded(word.trim_end_matches('/')) {
            let is_end = |path: &String| *path == name || path.ends_with(&format!("/{name}"));
            let is_there = IN_THE_BUCKET.contains(&name.as_str()) || paths.iter().any(is_end);
            assert!(is_there, "{word}");
            named += 1;
        }
    }
    assert!(named > 30, "{named} paths");
}

/// All but the library's own file, which only lists them.
fn boxes() -> impl Iterator<Item = &'static Layer> {
    LAYERS.iter().filter(|layer| layer.name != "lib")
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The paths in the first column.
fn code_map() -> BTreeSet<String> {
    let document = document();
    let (_, map) = document.split_once("\n## Code map\n").unwrap();
    let map = map.split("\n## ").next().unwrap();
    let cells = map.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(words).flat_map(|path| expanded(&path)).collect()
}

/// `a/{b,c}` is two paths.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let (names, after) = rest.split_once('}').unwrap();
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

/// Whether there is more in it than unit tests.
fn is_code(folder: &str) -> bool {
    paths_below(folder).iter().any(|path| {
        path.ends_with(".rs") && !path.ends_with("/tests.rs") && !path.contains("/tests/")
    })
}

/// The folders in a folder, without what is built and what is hidden.
fn folders(folder: &str) -> Vec<String> {
    paths_in(folder).into_iter().filter(|path| root().join(path).is_dir()).collect()
}

fn paths_below(folder: &str) -> Vec<String> {
    let mut found = paths_in(folder);
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        if root().join(&path).is_dir() {
            found.extend(paths_in(&path));
        }
        next += 1;
    }
    found
}

fn paths_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name != "target" && !name.starts_with('.'));
    names.map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") }).collect()
}

fn document() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
