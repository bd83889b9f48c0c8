//! What the status document says of timelines and servers.

use std::fs;
use std::path::Path;

use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::finding::LifeSign;

use crate::scenarios::file::Scenario;

fn scenario(name: &str) -> Assessment {
    let path = format!("tests/scenarios/{name}.txt");
    let text = fs::read_to_string(&path).unwrap();
    let (given, _) = text.split_once("---").unwrap();
    let scenario = Scenario::parse(given, Path::new(&path));
    assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now)
}

#[test]
fn the_living_timeline_is_named_with_its_signs() {
    let of = |name: &str| -> Vec<(u32, bool, Vec<&'static str>)> {
        let timelines = scenario(name).timelines;
        let signs = |signs: &[LifeSign]| signs.iter().map(|sign| sign.code()).collect();
        timelines.iter().map(|it| (it.timeline.value(), it.is_living, signs(&it.signs))).collect()
    };
    assert_eq!(of("healthy"), [(1, true, vec![])]);
    let told = [(1, true, vec!["kubernetes"]), (2, false, vec![])];
    assert_eq!(of("timeline_fork_told_by_kubernetes"), told);
    let newest = of("traceless_timelines");
    assert_eq!(newest.iter().filter(|(_, is_living, _)| *is_living).count(), 1, "{newest:?}");
}

#[test]
fn each_server_of_an_archive_is_named_with_its_backups() {
    let systems = scenario("major_upgrade").systems;
    let found: Vec<(u64, bool, usize)> =
        systems.iter().map(|it| (it.system, it.is_living, it.backups)).collect();
    let expected = [(7_000_000_000_000_000_002, false, 1), (7_000_000_000_000_000_001, true, 1)];
    assert_eq!(found, expected);
}
