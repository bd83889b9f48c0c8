use std::net::Ipv4Addr;

use kube::core::DeserializeGuard;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::sources::kubernetes::content::keep;
use crate::sources::kubernetes::resources::Object;
use crate::sources::kubernetes::resources::Words;

const TEXT: &str = r#"# HELP cnpg_collector_pg_wal_archive_status Number of WAL segments
# TYPE cnpg_collector_pg_wal_archive_status gauge
cnpg_collector_pg_wal_archive_status{value="done"} 12
cnpg_collector_pg_wal_archive_status{value="ready"} 3
cnpg_pg_stat_archiver_archived_count 400
cnpg_pg_stat_archiver_last_archived_time 1.767960000123e+09
cnpg_pg_stat_archiver_last_archived_wal_start_lsn 4.294967298e+09
cnpg_pg_stat_archiver_last_failed_time -1
cnpg_pg_replication_in_recovery{text="} odd"} 0
"#;

#[test]
fn the_few_series_are_picked() {
    let read = parse("postgres-1", TEXT);
    assert_eq!(read.pod, "postgres-1");
    assert_eq!(read.ready_segments, Some(3));
    assert_eq!(read.last_archived, Some((1 << 32) + 2));
    assert_eq!(read.last_archived_at, "2026-01-09T12:00:00.123Z".parse().ok());
    assert_eq!(read.last_failed_at, None);
}

#[test]
fn what_is_not_said_stays_unknown() {
    let nothing = parse("p", "");
    for text in [
        "cnpg_collector_fencing_on 1\n",
        "cnpg_pg_stat_archiver_last_archived_wal_start_lsn -1\n",
        // 00000002.history
        "cnpg_pg_stat_archiver_last_archived_wal_start_lsn 8.589934592e+09\n",
        "cnpg_pg_stat_archiver_last_archived_time NaN\n",
        "cnpg_pg_stat_archiver_last_failed_time 1e-5\n",
        "cnpg_collector_pg_wal_archive_status{value=\"ready\"} 1.5\n",
        "cnpg_collector_pg_wal_archive_status{value=\"ready\"\n",
        "{}\n \n<html>",
    ] {
        assert_eq!(parse("p", text), nothing, "{text}");
    }
}

fn pod(port: u16) -> Kept<Pod> {
    let object: DeserializeGuard<Object<Pod>> = serde_json::from_value(json!({
        "metadata": {"name": "postgres-1", "namespace": "databases", "labels": {
            "cnpg.io/cluster": "postgres", "cnpg.io/podRole": "instance",
            "cnpg.io/instanceRole": "primary",
        }},
        "spec": {"containers": [{"ports": [
            {"name": "status", "containerPort": 1},
            {"name": "metrics", "containerPort": port},
        ]}]},
        "status": {"podIP": "127.0.0.1"},
    }))
    .unwrap();
    Kept::clone(&keep(object, &mut Words::default()).1.unwrap())
}

async fn served(answer: &'static str) -> Reading<WalArchiving> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).await.unwrap();
        connection.write_all(answer.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let primary = Primary { name: "postgres-1".to_owned(), pod: pod(port).into(), is_tls: false };
    let read = Instances::new().unwrap().read(&primary).await;
    let request = server.await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /metrics "), "{request}");
    assert!(!request.contains("authorization"), "{request}");
    read
}

#[tokio::test]
async fn the_pods_own_port_is_asked() {
    let read = served(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ncnpg_collector_pg_wal_archive_status{value=\"ready\"} 7\n",
    );
    assert_eq!(read.await.unwrap().ready_segments, Some(7));
    let refused = served("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n").await;
    assert!(refused.unwrap_err().why.contains("404"));
}

#[test]
fn only_the_primary_is_asked() {
    assert!(is_primary_of(&pod(1), "postgres"));
    assert!(!is_primary_of(&pod(1), "other"));
}
