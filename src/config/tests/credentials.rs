use super::*;

#[test]
fn credentials_come_in_pairs() {
    let directory = tempfile::tempdir().unwrap();
    let (access_key_id, _) = credential_files(directory.path());
    let text =
        format!("credentials: {{access_key_id_file: {}}}\n{ARCHIVE}", access_key_id.display());
    assert_snapshot!(problems(&text), @"credentials.secret_access_key_file: expected a file, because access_key_id_file is given, found nothing");
}

#[test]
fn files_of_credentials_must_be_readable_and_are_never_shown_by_mistake() {
    let text = format!(
        "credentials:
  access_key_id_file: /nowhere/ACCESS_KEY_ID
  secret_access_key_file: hunter2
  from_object_store: true
{ARCHIVE}"
    );
    assert_snapshot!(problems(&text), @r#"
    credentials.access_key_id_file: expected the absolute path of a readable file, found "/nowhere/ACCESS_KEY_ID": No such file or directory (os error 2)
    credentials.secret_access_key_file: expected the absolute path of a readable file, found something else, not shown as it may be a credential
    "#);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    let text = format!(
        "credentials: {{secret_access_key: hunter2, access_key_id_file: [hunter2]}}
access_key_id: hunter2
{ARCHIVE}"
    );
    assert!(!problems(&text).contains("hunter2"), "{}", problems(&text));
    let error = read_with(ARCHIVE, &[("SECRET_ACCESS_KEY", "hunter2")], None).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_password_in_the_wrong_place_is_not_shown() {
    let address = "https://key:hunter2@s3.example.com";
    for text in [
        format!("poll_interval: {address}"),
        format!("kubernetes: {{namespaces: [\"{address}\"]}}"),
        format!("archives: [{{namespace: a, cluster: \"b\", endpoint_url\"{address}\"}}]"),
        format!("{address}: a"),
        format!("listen: !!int \"{address}\""),
        format!("\"{address}"),
        format!("*{address} a"),
    ] {
        let problems = problems(&text);
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}
