use super::*;
use crate::domain::drill::DrillClass;
use crate::sources::kubernetes::resources::drills::DrillResult;

/// What a drill of a cluster of this name left, in a `ConfigMap` of that name.
fn result(name: &str, cluster: &str, minute: u32) -> Value {
    let report = serde_json::json!({
        "form": 1, "kind": "full", "way": "operator",
        "namespace": "databases", "cluster": cluster, "server_name": cluster,
        "began_at": "2026-01-10T10:00:00Z", "ended_at": format!("2026-01-10T11:{minute:02}:00Z"),
        "class": "wal_missing", "detail": "", "backup_id": null,
        "target": {"time": null, "timeline": null, "seed": null},
        "phases": [], "volume": {"base_bytes": 0, "wal_bytes": 0, "wal_segments": 0},
        "predicted": null, "reached": null, "checks": [],
        "versions": {"verifier": "1", "postgres": null, "operator": null},
    });
    let mut object = config_map(name);
    object["data"] = serde_json::json!({"report.json": report.to_string(), "log": "…"});
    object
}

fn config_map(name: &str) -> Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "restore-drills"},
    })
}

fn drills(items: &[Value]) -> Option<Scope<DrillResult>> {
    Some(scope(items))
}

fn bare() -> Content {
    content(&cluster("{instances: 1}"))
}

#[test]
fn results_are_found_by_the_cluster_that_they_name_newest_first() {
    let others = (0..12).map(|it| result(&format!("drill-{it}"), "postgres", it));
    let items: Vec<Value> = others.chain([result("drill-other", "other", 30)]).collect();
    let content = Content { drills: drills(&items), ..bare() };
    let [found] = <[Discovered; 1]>::try_from(clusters(&content)).unwrap();
    let reports = found.cluster.drill_reports.unwrap();
    let minutes: Vec<String> =
        reports.iter().map(|it| it.ended_at.format("%M").to_string()).collect();
    assert_eq!(minutes, ["11", "10", "09", "08", "07", "06", "05", "04", "03", "02"]);
    assert_eq!(reports[0].class, DrillClass::WalMissing);
}

#[test]
fn where_no_drills_are_configured_there_are_none_and_an_unread_list_is_told() {
    let reports = |content: &Content| clusters(content).remove(0).cluster.drill_reports;
    assert_eq!(reports(&bare()), Ok(Vec::new()));
    assert_eq!(reports(&Content { drills: drills(&[]), ..bare() }), Ok(Vec::new()));
    let denied = Content { drills: Some(unread(UnreadableReason::Auth)), ..bare() };
    assert_eq!(reports(&denied).unwrap_err().reason, UnreadableReason::Auth);
}

#[test]
fn what_was_seen_stays_known_while_it_cannot_be_read() {
    let seen = drills(&[result("drill-1", "postgres", 1), result("drill-2", "postgres", 2)]);
    let known = |drills| {
        let found = clusters(&Content { drills, ..bare() }).remove(0).cluster;
        let minutes = found.known_drill_reports.iter().map(|it| it.ended_at.format("%M"));
        (found.drill_reports.is_ok(), minutes.map(|it| it.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(known(seen.clone()), (true, Vec::new()));
    let lost =
        seen.map(|it| Scope { unread: unread::<DrillResult>(UnreadableReason::Auth).unread, ..it });
    assert_eq!(known(lost), (false, vec!["02".to_owned(), "01".to_owned()]));
    assert_eq!(known(Some(unread(UnreadableReason::Auth))), (false, Vec::new()));
}

#[test]
fn a_result_that_cannot_be_understood_may_be_of_any_cluster_that_has_none() {
    let mut newer = result("drill-newer", "postgres", 1);
    newer["data"]["report.json"] = "{\"form\": 2}".into();
    for bad in [newer, config_map("drill-empty")] {
        let alone = Content { drills: drills(std::slice::from_ref(&bad)), ..bare() };
        let discovery = discover(&alone);
        let kinds: Vec<&str> = discovery.unparsable.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["ConfigMap"]);
        let unreadable = discovery.clusters.unwrap()[0].cluster.drill_reports.clone().unwrap_err();
        assert_eq!(unreadable.reason, UnreadableReason::Parse);
        assert!(unreadable.to_string().contains("restore-drills/drill-"), "{unreadable}");
        let items = [bad, result("drill-0", "postgres", 0)];
        let content = Content { drills: drills(&items), ..bare() };
        assert_eq!(clusters(&content)[0].cluster.drill_reports.as_ref().unwrap().len(), 1);
    }
}
