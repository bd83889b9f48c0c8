//! What each command says below its flags.

pub(super) const RUN_HELP: &str = "\
Every setting of the configuration, except lists of archives, can also be given as an
environment variable: CNPG_BACKUP_VERIFIER_, then its path in capitals, with underscores for dots.
expectations.wal_max_age is CNPG_BACKUP_VERIFIER_EXPECTATIONS_WAL_MAX_AGE. A flag wins over a
variable, a variable over the file. SIGTERM and SIGINT end the program cleanly, a second one
at once.

Exit codes:
  0   ended by a signal
  3   ended by itself
  64  wrong usage or configuration; all problems are listed

Example:
  cnpg-backup-verifier run --config /etc/cnpg-backup-verifier/config.yaml --listen 0.0.0.0:8080";

pub(super) const CHECK_HELP: &str = "\
Credentials come from the configuration, otherwise from where AWS's own tools look
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, web identity).

Exit codes; with several archives that of the worst (0, 1, 3, 2):
  0   recoverable
  1   at risk
  2   unrecoverable
  3   unknown: it could not be read well enough to say
  64  wrong usage or configuration; all problems are listed

Examples:
  cnpg-backup-verifier check --archive s3://backups/prod/postgres-main \\
      --endpoint-url https://s3.example.com --wal-max-age 15m --retention 30d
  cnpg-backup-verifier check --archive file:///mnt/backups/postgres-main
  cnpg-backup-verifier check --config config.yaml --namespace databases --cluster postgres -o json";

pub(super) const VERIFY_HELP: &str = "\
The same as check --depth full: reads every record of the WAL and every page of the base backups,
with its progress on stderr. The exit codes are those of check.

Example:
  cnpg-backup-verifier verify --archive s3://backups/prod/postgres-main \\
      --endpoint-url https://s3.example.com";

pub(super) const ARCHIVES_HELP: &str = "\
Prints one address on each line, for check --archive. With --check the exit codes are those of check.

Exit codes:
  0   some were found
  3   none was found, or the place could not be listed
  64  wrong usage or configuration; all problems are listed

Examples:
  cnpg-backup-verifier archives --at s3://backups/prod --endpoint-url https://s3.example.com
  cnpg-backup-verifier archives --at file:///mnt/copy --check";

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  cnpg-backup-verifier completions bash > /etc/bash_completion.d/cnpg-backup-verifier
  source <(cnpg-backup-verifier completions zsh)";

pub(super) const RESTORE_PLAN_HELP: &str = "\
A target after the newest archived commit is not reachable: PostgreSQL refuses to end recovery
before it has passed its target. For the newest archived state, leave --to out.

Exit codes:
  0   reachable
  2   not reachable; the nearest moments are printed
  3   unknown: it could not be read well enough to say
  64  wrong usage or configuration; all problems are listed

Examples:
  cnpg-backup-verifier restore-plan --config config.yaml --namespace databases --cluster postgres \\
      --to 2026-08-20T10:30:00Z
  cnpg-backup-verifier restore-plan --archive s3://backups/postgres-main -o yaml";

pub(super) const RESTORE_HELP: &str = "\
Needs PostgreSQL of the backup's major version on this machine, and a token that may read the
archive; no Kubernetes, no barman. The restored server archives nothing, takes connections only
on its socket, and is stopped once it has reached its target. A restore that fails is removed.

Exit codes:
  0   restored
  2   not reachable; the nearest moments are printed
  3   unknown, or it could not be restored
  64  wrong usage or configuration; all problems are listed

Examples:
  cnpg-backup-verifier restore --archive s3://backups/postgres-main --to-dir /srv/restored
  cnpg-backup-verifier restore --archive s3://backups/postgres-main --to-dir /srv/restored \\
      --to 2026-08-20T10:30:00Z";

pub(super) const DRILL_HELP: &str = "\
With --local the archive is restored below DIR by PostgreSQL of the backup's major version, compared
with what its log predicts, asked the drills.checks of the configuration, and removed. The
restored server takes connections only on its socket, archives nothing and applies no
subscription, so that nothing outside notices.

Without --local CloudNativePG restores it, in a namespace for drills, from an ObjectStore there that
leads to the same archive; the cluster is removed, and the result kept in a ConfigMap.

Exit codes:
  0   succeeded, or none is due
  2   failed: it cannot be restored as promised, or not with these settings
  3   inconclusive: nothing was proven about the archive
  64  wrong usage or configuration; all problems are listed

Examples:
  cnpg-backup-verifier drill --local /var/tmp --archive s3://backups/postgres-main
  cnpg-backup-verifier drill --local /var/tmp --kind full --config config.yaml \\
      --namespace databases --cluster postgres -o json
  cnpg-backup-verifier drill --plan --config config.yaml --namespace databases --cluster postgres
  cnpg-backup-verifier drill --daemon http://cnpg-backup-verifier.databases:8080";

pub(super) const INSTALL_HELP: &str = "\
The copy is called cnpg-backup-verifier and anyone may run it. It appears there complete, in
place of an older one.

Exit codes:
  0   installed
  3   it could not be written
  64  wrong usage, or no directory

Example:
  cnpg-backup-verifier install /shared";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::cli::Cli;

    /// As a terminal of 100 columns shows it.
    fn help_of(command: &str) -> String {
        let mut cli = Cli::command().term_width(100);
        // Also hands the global flags down to the commands.
        cli.build();
        cli.find_subcommand_mut(command).unwrap().render_help().to_string()
    }

    #[test]
    fn check_lists_its_flags_and_exit_codes() {
        insta::assert_snapshot!(help_of("check"), @r"
        Look at archives once, print what can be restored, and exit with the worst verdict

        Usage: cnpg-backup-verifier check [OPTIONS]

        Options:
              --config <FILE>    Configuration in YAML [env: CNPG_BACKUP_VERIFIER_CONFIG]
          -o, --output <OUTPUT>  How the result is printed on stdout [default: text] [possible values: text,
                                 json, yaml, table, wide, nagios, junit]
              --depth <DEPTH>    How much is read [default: listing] [possible values: listing, wal, full]
          -h, --help             Print help (see more with '--help')

        Which archives (if none is named: all in the configuration):
              --archive <ADDRESS>          s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME;
                                           the configuration then only supplies credentials
              --endpoint-url <URL>         Where the S3 store answers, if it is not AWS
              --region <REGION>            Region of the S3 store [default: auto]
          -n, --namespace <NS>             Namespace of the Cluster; without a cluster all that are in it
              --cluster <NAME>             Name of the Cluster
              --segments-per-look <COUNT>  How many WAL segments are opened at most, to find transactions
                                           and borders [default: 1024]

        Expectations (these win over the configuration; --archive has no others):
              --wal-max-age <DURATION>          How old the newest WAL may be, such as 15m
              --base-backup-max-age <DURATION>  How old the newest usable base backup may be, such as 26h;
                                                auto: as the schedule says
              --uploading-grace <DURATION>      How long a missing segment may still be on its way, such as
                                                10m
              --retention <POLICY>              How far back every moment must be reachable, such as 30d, 4w
                                                or 6m

        Logs (on stderr):
              --log-level <LEVEL>    error, warn, info, debug, trace, off, or MODULE=LEVEL,... [default:
                                     info; check: warn] [env: CNPG_BACKUP_VERIFIER_LOG_LEVEL]
              --log-format <FORMAT>  auto: text on a terminal, JSON in a pipe [env:
                                     CNPG_BACKUP_VERIFIER_LOG_FORMAT] [default: auto] [possible values:
                                     auto, json, text]

        Credentials come from the configuration, otherwise from where AWS's own tools look
        (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, web identity).

        Exit codes; with several archives that of the worst (0, 1, 3, 2):
          0   recoverable
          1   at risk
          2   unrecoverable
          3   unknown: it could not be read well enough to say
          64  wrong usage or configuration; all problems are listed

        Examples:
          cnpg-backup-verifier check --archive s3://backups/prod/postgres-main \
              --endpoint-url https://s3.example.com --wal-max-age 15m --retention 30d
          cnpg-backup-verifier check --archive file:///mnt/backups/postgres-main
          cnpg-backup-verifier check --config config.yaml --namespace databases --cluster postgres -o json
        ");
    }

    #[test]
    fn restore_lists_its_flags_and_exit_codes() {
        insta::assert_snapshot!(help_of("restore"), @r"
        Restore into a directory of this machine, by PostgreSQL's own programs

        Usage: cnpg-backup-verifier restore [OPTIONS] --to-dir <DIR>

        Options:
              --to-dir <DIR>           Becomes the data directory; must not be there yet, or be empty
              --tablespace <NAME=DIR>  Where a tablespace goes, by its name or number; must not be there
                                       yet, or be empty [default: below DIR-tablespaces]
              --no-clean               Leave what was written where a restore comes to nothing
              --config <FILE>          Configuration in YAML [env: CNPG_BACKUP_VERIFIER_CONFIG]
              --to <TIME>              The moment to restore to, such as 2026-08-20T10:30:00Z, '2 hours ago'
                                       or latest [default: latest, or with --backup that backup's own end]
              --backup <ID>            From this backup, by its identifier or its name
              --timeline <NUMBER>      On this timeline, such as one that the archive left
              --lsn <LSN>              The state after a position in the log, such as 0/3000060
              --name <NAME>            The state at a restore point, by the name that it was given
          -h, --help                   Print help

        PostgreSQL on this machine:
              --postgres <DIR>    The directory of its programs [default: found by version where packages
                                  put them]
              --run-as <USER>     As whom it runs where this program runs as root [default: postgres]
              --role <ROLE>       Its superuser in the database [default: postgres]
              --set <NAME=VALUE>  A parameter to start it with, such as shared_preload_libraries=timescaledb

        Which archives (if none is named: all in the configuration):
              --archive <ADDRESS>          s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME;
                                           the configuration then only supplies credentials
              --endpoint-url <URL>         Where the S3 store answers, if it is not AWS
              --region <REGION>            Region of the S3 store [default: auto]
          -n, --namespace <NS>             Namespace of the Cluster; without a cluster all that are in it
              --cluster <NAME>             Name of the Cluster
              --segments-per-look <COUNT>  How many WAL segments are opened at most, to find transactions
                                           and borders [default: 1024]

        Logs (on stderr):
              --log-level <LEVEL>    error, warn, info, debug, trace, off, or MODULE=LEVEL,... [default:
                                     info; check: warn] [env: CNPG_BACKUP_VERIFIER_LOG_LEVEL]
              --log-format <FORMAT>  auto: text on a terminal, JSON in a pipe [env:
                                     CNPG_BACKUP_VERIFIER_LOG_FORMAT] [default: auto] [possible values:
                                     auto, json, text]

        Needs PostgreSQL of the backup's major version on this machine, and a token that may read the
        archive; no Kubernetes, no barman. The restored server archives nothing, takes connections only
        on its socket, and is stopped once it has reached its target. A restore that fails is removed.

        Exit codes:
          0   restored
          2   not reachable; the nearest moments are printed
          3   unknown, or it could not be restored
          64  wrong usage or configuration; all problems are listed

        Examples:
          cnpg-backup-verifier restore --archive s3://backups/postgres-main --to-dir /srv/restored
          cnpg-backup-verifier restore --archive s3://backups/postgres-main --to-dir /srv/restored \
              --to 2026-08-20T10:30:00Z
        ");
    }

    #[test]
    fn drill_lists_its_flags_and_exit_codes() {
        insta::assert_snapshot!(help_of("drill"), @r"
        Rehearse a restore, compare what it reached with what was promised, and clean up

        Usage: cnpg-backup-verifier drill [OPTIONS]

        Options:
              --kind <KIND>         What is restored: a moment drawn from what can be restored, or the
                                    newest state [default: pitr] [possible values: pitr, full]
              --local <DIR>         By PostgreSQL's programs on this machine, in a directory of its own
                                    below DIR
              --timeout <DURATION>  Ends a drill that takes longer, and says so [default: 12h]
              --seed <NUMBER>       Draws the same moment again
              --dump                Read all data with pg_dumpall as well
              --amcheck             Check tables and indexes with pg_amcheck as well
          -o, --output <OUTPUT>     How the result is printed on stdout [default: text] [possible values:
                                    text, json]
              --config <FILE>       Configuration in YAML [env: CNPG_BACKUP_VERIFIER_CONFIG]
          -h, --help                Print help (see more with '--help')

        Through CloudNativePG (without --local):
              --plan                  Print the Cluster that would be created, and do nothing
              --daemon <URL>          Address of the daemon, which names the drill that is due, such as
                                      http://cnpg-backup-verifier.databases:8080
              --drill-namespace <NS>  Where the Cluster is created [default: that of the configuration, else
                                      the current one]

        PostgreSQL on this machine:
              --postgres <DIR>    The directory of its programs [default: found by version where packages
                                  put them]
              --run-as <USER>     As whom it runs where this program runs as root [default: postgres]
              --role <ROLE>       Its superuser in the database [default: postgres]
              --set <NAME=VALUE>  A parameter to start it with, such as shared_preload_libraries=timescaledb

        Which archives (if none is named: all in the configuration):
              --archive <ADDRESS>          s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME;
                                           the configuration then only supplies credentials
              --endpoint-url <URL>         Where the S3 store answers, if it is not AWS
              --region <REGION>            Region of the S3 store [default: auto]
          -n, --namespace <NS>             Namespace of the Cluster; without a cluster all that are in it
              --cluster <NAME>             Name of the Cluster
              --segments-per-look <COUNT>  How many WAL segments are opened at most, to find transactions
                                           and borders [default: 1024]

        Logs (on stderr):
              --log-level <LEVEL>    error, warn, info, debug, trace, off, or MODULE=LEVEL,... [default:
                                     info; check: warn] [env: CNPG_BACKUP_VERIFIER_LOG_LEVEL]
              --log-format <FORMAT>  auto: text on a terminal, JSON in a pipe [env:
                                     CNPG_BACKUP_VERIFIER_LOG_FORMAT] [default: auto] [possible values:
                                     auto, json, text]

        With --local the archive is restored below DIR by PostgreSQL of the backup's major version, compared
        with what its log predicts, asked the drills.checks of the configuration, and removed. The
        restored server takes connections only on its socket, archives nothing and applies no
        subscription, so that nothing outside notices.

        Without --local CloudNativePG restores it, in a namespace for drills, from an ObjectStore there that
        leads to the same archive; the cluster is removed, and the result kept in a ConfigMap.

        Exit codes:
          0   succeeded, or none is due
          2   failed: it cannot be restored as promised, or not with these settings
          3   inconclusive: nothing was proven about the archive
          64  wrong usage or configuration; all problems are listed

        Examples:
          cnpg-backup-verifier drill --local /var/tmp --archive s3://backups/postgres-main
          cnpg-backup-verifier drill --local /var/tmp --kind full --config config.yaml \
              --namespace databases --cluster postgres -o json
          cnpg-backup-verifier drill --plan --config config.yaml --namespace databases --cluster postgres
          cnpg-backup-verifier drill --daemon http://cnpg-backup-verifier.databases:8080
        ");
    }
}
