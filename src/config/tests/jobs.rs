use super::*;

#[test]
fn jobs_need_a_pod_credentials_in_files_and_kubernetes() {
    let directory = tempfile::tempdir().unwrap();
    let (id, secret) = credential_files(directory.path());
    let files = format!(
        "credentials: {{access_key_id_file: {}, secret_access_key_file: {}}}\n",
        id.display(),
        secret.display(),
    );
    let as_job = "content: {base_backups: {run_as: job}, jobs: {pod: verifier-1, queue: reads}}\n";
    let config = read(&format!("{files}{as_job}")).unwrap();
    let jobs = JobsConfig {
        pod: "verifier-1".to_owned(),
        at_once: 4,
        priority_class: None,
        queue: Some("reads".to_owned()),
    };
    assert_eq!(config.content.jobs, Some(jobs));
    let as_process = "content: {jobs: {pod: verifier-1}}\n";
    assert_eq!(read(as_process).unwrap().content.jobs, None);
    assert!(problems(as_job).starts_with("content.base_backups.run_as: expected process, unless"));
    let never = format!("{files}{as_job}kubernetes: {{enabled: false}}\n{ARCHIVE}");
    assert!(problems(&never).contains("expected process, since kubernetes.enabled is false"));
    let without = problems(&format!("{files}content: {{base_backups: {{run_as: job}}}}\n"));
    assert!(without.starts_with("content.jobs.pod: expected a name"), "{without}");
    for wrong in ["at_once: \"0\"", "at_once: \"1001\"", "queue: a/b", "at_once: 0"] {
        let text = format!("content: {{jobs: {{{wrong}}}}}\n");
        assert!(problems(&text).starts_with("content.jobs."), "{wrong}");
    }
    let variables = [("CONTENT_BASE_BACKUPS_RUN_AS", "job"), ("CONTENT_JOBS_POD", "verifier-2")];
    let config = read_with(&files, &variables, None).unwrap();
    assert_eq!(config.content.jobs.unwrap().pod, "verifier-2");
}
