//! The page beside the manifests says what they are.

use clap::Parser;
use cnpg_backup_verifier::cli::Cli;

use crate::deploy::flux;
use crate::deploy::manifests;

const README: &str = "deploy/README.md";

#[test]
fn every_command_of_ours_is_understood() {
    let text = manifests::read(README).replace("\\\n", " ").replace("MOMENT", "latest");
    let lines = text.lines().flat_map(|line| line.split('`'));
    let commands = lines.filter(|line| line.trim_start().starts_with("cnpg-backup-verifier "));
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let parsed = Cli::try_parse_from(command.split_whitespace());
        assert!(parsed.is_ok(), "{command}: {:?}", parsed.err());
    }
}

#[test]
fn every_component_is_in_the_table() {
    let text = manifests::read(README);
    for component in manifests::folders("Component") {
        let name = component.rsplit('/').next().unwrap();
        assert!(text.contains(&format!("\n| `{name}` | ")), "{name}");
    }
}

#[tokio::test]
async fn the_versions_named_are_those_installed() {
    let text = manifests::read(README);
    let release = manifests::one(flux::PLUGIN, "HelmRelease").await;
    let plugin = flux::published_chart(&release).unwrap();
    let chart = release.text("/spec/chart/spec/version");
    assert!(text.contains(&format!("Chart {chart} installs plugin v{plugin} with barman")));
    // The barman-cloud that the tests run.
    let requirements = manifests::read("scripts/tools-requirements.txt");
    let barman = requirements.lines().find_map(|line| line.strip_prefix("barman==")).unwrap();
    assert!(text.contains(&format!("with barman {barman}.")), "{barman}");
}
