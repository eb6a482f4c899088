//! What the program says of itself: help, errors, exit codes. Golden texts: a change here is seen by users.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;

use crate::world::{World, fields, text, words};

#[test]
fn help_lists_the_verbs_that_are_built_and_no_other() {
    let world = World::new();
    let output = world.home("x").call(&["--help"]);
    assert!(output.status.success());
    expect![[r#"
        Publish/subscribe (pub/sub) groups that span the peer-to-peer networks a machine already has

        Usage: crosscast [OPTIONS] <COMMAND>

        Commands:
          init        Make an identity and a commented config.toml; print the NodeId
          run         Run the daemon
          status      Show this node: its key, where it listens, its networks
          peers       List linked peers: over which network, by which path and why
          peer        Show one linked peer in detail
          ping        Measure the round trip to a linked peer
          trace       Show over which links a peer is reached, or a group flows
          group       Make, join and look at groups
          pub         Publish TEXT, or each line of standard input, to a group
          sub         Print what is published to groups
          send        Send TEXT, or standard input, to nodes and services, in one message
          serve       Have a service under a key of its own; print the key. Without NAME, list them
          inbox       List what was sent to this node
          key         Show, export, import or replace this node's key; bind it to the keys of other networks
          config      Check or show the configuration
          explain     Explain an error code
          completion  Print a completion script for a shell
          man         Print a manual page, in roff
          demo        Run five nodes or more on this machine and pipe text through a group that spans them
          help        Print this message or the help of the given subcommand(s)

        Options:
              --home <DIR>      Home folder; otherwise CROSSCAST_HOME, otherwise the XDG data folder
              --json            Print JSON: one object, or one a line for streams; errors are JSON on stderr
              --timeout <TIME>  How long to wait at most, such as 500ms, 5s, 2m
          -h, --help            Print help
          -V, --version         Print version

        Exit codes: 0 ok, 1 failed, 2 usage, 3 not reachable, 4 denied, 5 timeout.
    "#]]
    .assert_eq(&text(&output.stdout));
}

#[test]
fn a_command_line_that_does_not_parse_is_a_usage_error_with_a_code() {
    let world = World::new();
    let home = world.home("x");
    let output = home.call(&["pub"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    expect![[r#"
        error[usage]: the following required arguments were not provided:
          <GROUP>

        Usage: crosscast pub <GROUP> [TEXT]

        For more information, try '--help'.
    "#]]
    .assert_eq(&text(&output.stderr));
    for wrong in [&["nonsense"][..], &["status", "--timeout", "5"], &["demo", "--lines", "x"], &["group", "create"]] {
        assert_eq!(home.fails(wrong), (2, "usage".to_owned()), "{wrong:?}");
    }
}

#[test]
fn an_error_has_a_code_a_cause_and_a_next_step() {
    let world = World::new();
    let output = world.home("x").command(&["status"]).env("HOME", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let shown = text(&output.stderr).replace(&world.dir.display().to_string(), "DIR");
    expect![[r#"
        error[no_daemon]: there is no socket DIR/x/api.sock
          next: Start it with `crosscast run`, or name the right folder with `--home` or CROSSCAST_HOME.
    "#]]
    .assert_eq(&shown);
}

#[test]
fn exit_codes_tell_kinds_of_failure_apart() {
    let world = World::new();
    let home = world.listener("a");
    assert_eq!(home.fails(&["status"]), (3, "no_daemon".to_owned()));
    assert_eq!(home.fails(&["init"]), (1, "has_identity".to_owned()));
    assert_eq!(world.home("b").fails(&["run"]), (1, "no_identity".to_owned()));
    assert_eq!(world.home("c").fails(&["init", "--listen", "tls:/oops"]), (2, "bad_locator".to_owned()));
    assert_eq!(world.home("d").fails(&["init", "--listen", "ygg://[200::1]:7700"]), (2, "bad_config".to_owned()));
    let deep = world.home(&"deep".repeat(30));
    assert_eq!(deep.fails(&["init"]), (2, "socket_path".to_owned()));
    assert_eq!(deep.fails(&["status"]), (2, "socket_path".to_owned()));
    assert_eq!(home.fails(&["explain", "nonsense"]), (2, "usage".to_owned()));
}

#[test]
fn a_key_that_others_could_read_stops_the_daemon() {
    let world = World::new();
    let home = world.listener("a");
    let key = home.dir.join("identity.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(home.fails(&["run"]), (4, "key_mode".to_owned()));
    assert_eq!(home.fails(&["config", "check"]), (4, "key_mode".to_owned()));
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let world = World::new();
    let home = world.listener("a");
    assert_eq!(home.json(&["config", "check"])["ok"], true);
    std::fs::write(home.dir.join("config.toml"), "name = \"a\"\nlisten = [\"tls://nowhere\"]\n").unwrap();
    assert_eq!(home.fails(&["config", "check"]), (2, "bad_config".to_owned()));
    let output = home.call(&["run", "--check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("config.toml:2: listen:"), "{}", text(&output.stderr));
}

#[test]
fn explain_knows_every_code_that_it_lists() {
    let world = World::new();
    let home = world.home("x");
    let list = home.json(&["explain"]);
    for row in list["codes"].as_array().unwrap() {
        assert_eq!(fields(row), words("code means next exit status"));
        assert_eq!(home.json(&["explain", row["code"].as_str().unwrap()]), *row);
    }
    assert!(home.ok(&["explain", "no_history"]).starts_with("no_history: "));
}

#[test]
fn init_prints_the_key_that_the_daemon_has() {
    let world = World::new();
    let home = world.home("a");
    let node = home.ok(&["init", "--listen", "tls://127.0.0.1:0"]);
    assert_eq!((node.len(), node.starts_with("cn")), (58, true));
    assert_eq!(home.ok(&["key", "show"]), node);
    assert_eq!(home.json(&["config", "show"])["listen"][0], "tls://127.0.0.1:0");
    let _daemon = home.run();
    assert_eq!(home.json(&["status"])["node"], *node);
}
