//! Drills that the daemon names.

use serde_json::Value;
use serde_json::json;
use test_servers::process::run;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::SOURCES;
use crate::operator_drills::stage::Stage;

#[tokio::test]
async fn what_the_daemon_says_is_due_is_drilled_from_where_a_store_leads() {
    let stage = Stage::new().await;
    let due = json!({
        "kind": "full", "cnpg_namespace": SOURCES, "cnpg_cluster": "main", "server_name": "main",
        "destination_path": "s3://backups/prod/", "seed": 7, "why": "no full drill has ever been recorded",
    });
    let finished = tokio::select! {
        finished = drill(&stage, Some(&due)) => finished,
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    };
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let report = stage.reports().pop().unwrap();
    assert_eq!((&report["class"], &report["kind"]), (&json!("succeeded"), &json!("full")));
    assert_eq!(report["target"]["seed"], 7);

    let mut elsewhere = due.clone();
    elsewhere["destination_path"] = json!("s3://backups/other/");
    let finished = drill(&stage, Some(&elsewhere)).await;
    assert_eq!(finished.code, Some(64), "{finished:#?}");
    let mut other = due;
    other["server_name"] = json!("another");
    let finished = drill(&stage, Some(&other)).await;
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    assert_eq!((stage.reports().len(), stage.left()), (1, Vec::<String>::new()));
}

#[tokio::test]
async fn without_a_drill_that_is_due_nothing_is_done() {
    let stage = Stage::new().await;
    let finished = drill(&stage, None).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "# no drill is due\n"));
    assert_eq!((stage.reports().len(), stage.left()), (0, Vec::<String>::new()));
}

/// Asks a daemon that says this.
async fn drill(stage: &Stage, due: Option<&Value>) -> test_servers::process::Finished {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = match due {
        Some(due) => {
            let body = due.to_string();
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
        }
        None => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    };
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        let length = stream.read(&mut asked).await.unwrap();
        let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
        assert!(asked.starts_with("GET /api/v1/drills/next HTTP/1.1"), "{asked}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    };
    let mut command = stage.command_of_any();
    command.args(["--daemon", &address]);
    let (finished, _stream) = tokio::join!(run(command, LIMIT), serve);
    finished
}
